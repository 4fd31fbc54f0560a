"""Connect to a Ray cluster."""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._errors import ShardsError

AUTO = "auto"
"""The cluster that RAY_ADDRESS names, else one that runs on this machine."""
LOCAL = "local"
"""A cluster of this machine alone, which ends with the connection."""

_CONNECT_S = 5.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to a cluster until the block ends.

    A caller that is connected to Ray already keeps its connection; the address is not used then.

    Args:
        address: host:port of a cluster's head, "auto" or "local"; see the constants.

    Raises:
        ShardsError: Ray is not installed, the address is malformed, or no cluster answers there.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    _check_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        _init(ray, address)
    except SystemExit as error:  # Ray ends the process where another program answers
        raise _unreachable(address, "what answers there is no Ray cluster") from error
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _unreachable(address, str(error).partition(". ")[0]) from error
    finally:
        # Ray's own handler, set in the main thread, would leave with another exit code.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)
    try:
        yield
    finally:
        ray.shutdown()


def _init(ray: Any, address: str) -> None:
    """Connect, with an empty folder as the current one of the cluster's processes.

    Without a folder of their own, Ray puts the caller's current folder first on the `sys.path` of
    these processes, and imports from there itself: a numpy.py would run in place of the installed
    module.
    """
    with tempfile.TemporaryDirectory(prefix="faceae-") as empty:
        ray.init(
            address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="CRITICAL",
            runtime_env={"working_dir": empty},
        )


def import_ray() -> Any:
    """Return the module.

    Raises:
        ShardsError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ShardsError(
            f"`executor='ray'` needs Ray ({error}); pip install 'faceae[ray]'"
        ) from error
    return ray


def _check_answer(address: str) -> None:
    """Check that a server answers at an address; Ray takes minutes to report that none does."""
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS") or AUTO
    if address in (AUTO, LOCAL):
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise ShardsError(
            f"{address} is no address of a Ray cluster; give `address` as host:port of its head, "
            "such as 10.0.0.1:6379, and start faceae on a machine of the cluster"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, why: str) -> ShardsError:
    return ShardsError(
        f"no Ray cluster can be used at `address` {address}: {why}; start one with `ray start "
        "--head` and give the host:port that it prints, or `address='local'` to use this machine "
        "alone"
    )
