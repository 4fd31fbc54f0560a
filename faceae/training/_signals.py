"""Ctrl-C and SIGTERM as a request to stop between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Raised between two steps once a signal has asked for it."""


class StopRequest:
    """The signal that asked to stop, once one has."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def check(self) -> None:
        """Raise Stopped if a signal has arrived."""
        if self.signal is not None:
            raise Stopped


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second SIGINT acts as it did before.

    A second SIGTERM does nothing more: launchers send several.

    Only the main thread may handle signals: in another the request never comes.
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
            # None is a handler not set from Python, which cannot be set from it either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    # All are known before the first is replaced: from then on `note` may be called.
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number in _SIGNALS:
            signal.signal(number, note)
        yield request
    finally:
        restore(*_SIGNALS)
