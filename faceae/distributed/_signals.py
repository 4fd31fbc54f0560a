"""Turns Ctrl-C and SIGTERM into a request to stop between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Raised between two steps after a signal has requested a stop."""


class StopRequest:
    """The signal that requested a stop, or None so far."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def check(self) -> None:
        """Raise Stopped if a signal has arrived."""
        if self.signal is not None:
            raise Stopped


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request. A second SIGINT has its usual effect.

    A second SIGTERM has no further effect, since launchers send several. Only the main thread can
    handle signals: in other threads no request arrives.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = signal.Signals(number)
        restore(signal.SIGINT)

    def restore(*numbers: signal.Signals) -> None:
        for number in numbers:
            handler = previous[number]
            # None means a handler that was not set from Python, and cannot be set from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    # Read all handlers before the first is replaced, since `note` may be called from then on.
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number in _SIGNALS:
            signal.signal(number, note)
        yield request
    finally:
        restore(*_SIGNALS)
