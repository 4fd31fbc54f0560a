"""Tasks on a Ray cluster: one a shard, each in a process of some machine.

The counterpart of `_pool`. A task brings all it needs along, so every process of the cluster can do
it, and do it again where its process was killed.
"""

import importlib.metadata
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from .._errors import ShardsError
from ._local import Worker

AUTO = "auto"
"""The cluster that RAY_ADDRESS names, else one that runs on this machine."""
LOCAL = "local"
"""A cluster of this machine alone, for the length of the pack."""

_TASKS_A_CPU = 2
"""One that is packed and one that waits for its CPU."""
_MAX_RETRIES = 3
"""Of a task whose process was killed."""
_CONNECT_S = 5.0
_POLL_S = 0.2
_SETTLE_S = 10.0
_LIBRARIES = ("faceae", "pillow", "simplejpeg")
"""What the bytes of a shard depend on."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What must be the same wherever a task runs."""

    versions: dict[str, str]
    paths: tuple[Path, ...]
    """Files and folders that are there."""

    def check(self) -> None:
        """Compare with this process's.

        Raises:
            ShardsError: a version differs, or a path is not there.
        """
        here = socket.gethostname()
        for name, version in get_versions().items():
            if version != self.versions[name]:
                raise ShardsError(
                    f"{here} has {name} {version}, and {self.versions[name]} is needed as where "
                    "faceae was started; install the same versions on all machines of the cluster"
                )
        for path in self.paths:
            if not path.exists():
                raise ShardsError(
                    f"{here} does not see {path}; with Ray, SOURCE and OUT lie in folders that all "
                    "machines of the cluster share, or at URLs"
                )


def get_versions() -> dict[str, str]:
    """Return the installed versions that decide about a shard's bytes."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def run_on_ray(
    worker: Worker[T, R],
    tasks: Iterable[T],
    *,
    at_once: int | None,
    paths: Iterable[Path],
    on_result: Callable[[R], None],
    on_ticks: Callable[[int], None],
) -> None:
    """Run all tasks, in no particular order, each on one CPU of the cluster in `connected`.

    Tasks are drawn from the iterable as CPUs become free. A task whose process is killed runs
    again, at most three times more, so that doing one twice must do no harm.

    Args:
        at_once: tasks that may run at once; by default as many as the cluster has CPUs.
        paths: of this machine, which all others must see.
        on_result: called here, with what each task returned, as soon as it did.
        on_ticks: called after each result with the number of ticks so far.

    Raises:
        ShardsError: the cluster lost a task for good, or is not set up alike.
    """
    ray = _import_ray()
    surroundings = Surroundings(versions=get_versions(), paths=tuple(paths))
    run = ray.remote(num_cpus=1, max_retries=_MAX_RETRIES)(_run)
    shared = ray.put((worker, surroundings))
    pending: set[Any] = set()
    num_ticks = 0

    def collect() -> None:
        nonlocal num_ticks
        done, _ = ray.wait(list(pending), timeout=_POLL_S)
        check_term()
        for reference in done:
            pending.remove(reference)
            result, ticks = ray.get(reference)
            num_ticks += ticks
            on_result(result)
            on_ticks(num_ticks)

    with _explained(ray), _settled_on_error(ray, pending), _deferred_sigterm() as check_term:
        for task in tasks:
            pending.add(run.remote(shared, task))
            while len(pending) >= (at_once or _count_places(ray)):
                collect()
        while pending:
            collect()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster for the length of the block.

    Where the caller is connected to Ray already, that cluster is used and stays connected.

    Args:
        address: host:port of a cluster's head, "auto" or "local"; see the constants.

    Raises:
        ShardsError: Ray is not installed, this is no address, or no cluster answers.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield
        return
    _check_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    except SystemExit as error:  # how Ray ends where something else answers
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


def _check_answer(address: str) -> None:
    """Look whether something answers at an address; Ray takes minutes to say that nothing does."""
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS") or AUTO
    if address in (AUTO, LOCAL):
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise ShardsError(
            f"{address} is no address of a Ray cluster; give host:port of its head, such as "
            "10.0.0.1:6379, and start faceae on a machine of the cluster"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ShardsError("--executor ray needs Ray; pip install 'faceae[ray]'") from error
    return ray


def _unreachable(address: str, why: str) -> ShardsError:
    return ShardsError(
        f"no Ray cluster can be used at --address {address}: {why}; start one with `ray start "
        "--head`, give the host:port that it prints, or --address local to use this machine alone"
    )


def _count_places(ray: Any) -> int:
    """Return how many tasks are given to the cluster, which may grow, at a time."""
    return max(1, _TASKS_A_CPU * int(ray.cluster_resources().get("CPU", 0)))


@contextmanager
def _explained(ray: Any) -> Iterator[None]:
    """Raise what a task raised, and ShardsError for what befell the cluster."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ray.exceptions.RayError):
            why = str(error.cause).partition("\n")[0]
            raise ShardsError(
                f"a machine of the Ray cluster could not begin a task: {why}; install the same "
                "version of faceae on all of them"
            ) from error
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise ShardsError(
            f"the Ray cluster lost a shard's task for good ({type(error).__name__}: processes or "
            "machines died, perhaps for want of memory); run the same command again to go on"
        ) from error


@contextmanager
def _settled_on_error(ray: Any, pending: set[Any]) -> Iterator[None]:
    """Let the tasks that are left end where the block does not end well, Ctrl-C included.

    They are few and a shard each. Cancelling one in the moment it is done aborts this process (Ray
    2.60: "Tried to complete task that was not pending").
    """
    try:
        yield
    except BaseException:
        if pending:
            ray.wait(list(pending), num_returns=len(pending), timeout=_SETTLE_S)
        raise


@contextmanager
def _deferred_sigterm() -> Iterator[Callable[[], None]]:
    """Yield what calls the handler of SIGTERM where that came meanwhile.

    What a handler raises inside of Ray, but for KeyboardInterrupt, does not come out of it.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGTERM, lambda number, frame: came.append((number, frame)))

    def check() -> None:
        if came:
            handler(*came[0])

    try:
        yield check
    finally:
        signal.signal(signal.SIGTERM, handler)


def _run(shared: tuple[Worker[T, R], Surroundings], task: T) -> tuple[R, int]:
    """Do one task in a process of the cluster; return what it came to and how often it ticked."""
    worker, surroundings = shared
    surroundings.check()
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1

    try:
        result = worker.run(task, tick)
    finally:
        worker.close()
    return result, num_ticks
