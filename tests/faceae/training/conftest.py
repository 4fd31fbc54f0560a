"""Helpers of the tests of training."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from faceae.model import load_model, weights_hash
from faceae.training import Observer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Nets this small gain nothing from threads, and their sums then have one order."""
    torch.set_num_threads(1)


class HostReads(TorchDispatchMode):
    """Counts what would wait for a GPU while active: `item`, `bool` and `float` of tensors, and in
    the main thread (others fill batches on the host) `tolist` and `cpu`."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))

    def counting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def count_and_call(tensor: torch.Tensor, *args: Any) -> Any:
            self.count += threading.current_thread() is threading.main_thread()
            return method(tensor, *args)

        return count_and_call


@pytest.fixture
def host_reads(monkeypatch: pytest.MonkeyPatch) -> HostReads:
    reads = HostReads()
    for name in ("tolist", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, reads.counting(getattr(torch.Tensor, name)))
    return reads


def _read_metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def read_metrics() -> Callable[[Path], Any]:
    return _read_metrics


def _checkpoint_names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@pytest.fixture
def checkpoint_names() -> Callable[[Path], Any]:
    return _checkpoint_names


def _final_hash(run: Path) -> str:
    """Hash of the weights at the end of the second epoch."""
    file = run / "checkpoints" / "epoch-0002" / "model.safetensors"
    return weights_hash(load_model(file, torch.device("cpu")))


@pytest.fixture
def final_hash() -> Callable[[Path], Any]:
    return _final_hash


def _without_times(run: Path) -> list[dict[str, float]]:
    """The metrics but for what a clock decides."""
    times = {"images_per_s", "data_wait_share", "seconds"}
    return [
        {name: value for name, value in line.items() if name not in times}
        for line in _read_metrics(run)
    ]


@pytest.fixture
def without_times() -> Callable[[Path], Any]:
    return _without_times


class SignalAt(Observer):
    """Sends this process a signal after a step, as a shell or an orchestrator would."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        self.step, self.number = step, number

    def on_step(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.fixture
def signal_at() -> type[SignalAt]:
    return SignalAt
