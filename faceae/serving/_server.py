"""Runs the app in a process of its own."""

import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ._protocol import GuardedProtocol

_DRAIN_S = 25
"""Time for requests in progress after SIGTERM. SageMaker and Kubernetes kill after 30 s."""
_KEEP_ALIVE_S = 75
"""Above the 60 s after which load balancers close an idle connection."""


def open_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        error.filename = f"{host} port {port}"
        raise


def run_server(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the requests in progress, for 25 s at most."""
    spare_from_collection()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
    )
    _Server(config).run(sockets=[listener])


def spare_from_collection() -> None:
    """Take all that has been loaded out of the garbage collector's sight.

    torch alone makes a quarter of a million objects. To look through them stops all requests for
    0.15 s, again and again under load.
    """
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """uvicorn's server, which would raise SIGTERM again once it has stopped in good order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C; a second Ctrl-C does not wait for requests."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def set_up_logs() -> None:
    """Write the access log to stdout, one JSON object per line, and errors to stderr."""
    access = logging.StreamHandler(sys.stdout)
    access.setFormatter(logging.Formatter("%(message)s"))
    access_log = logging.getLogger("faceae.serving.access")
    access_log.handlers = [access]
    access_log.setLevel(logging.INFO)
    access_log.propagate = False
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s: %(message)s"
    )
