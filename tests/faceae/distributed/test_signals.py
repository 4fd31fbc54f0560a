"""Signal handlers while a training runs."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from faceae.distributed import stop_on_signals


@pytest.fixture(autouse=True)
def _handlers_come_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signal_while_handlers_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    real, sent = signal.signal, []
    expected = signal.getsignal(signal.SIGINT)

    def set_and_send(number: int, handler: Any) -> Any:
        before = real(number, handler)
        if not sent:
            sent.append(number)
            signal.raise_signal(number)
        return before

    monkeypatch.setattr(signal, "signal", set_and_send)
    with stop_on_signals() as request:
        assert request.signal is signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is expected


def test_handler_not_set_from_python_becomes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    with stop_on_signals():
        pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
