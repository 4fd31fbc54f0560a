from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import shards
from faceae.training import TrainConfig


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Nets this small gain nothing from threads, and their sums then have one order."""
    torch.set_num_threads(1)


@pytest.fixture
def config(dataset_npy: shards.Dataset, tmp_path: Path) -> TrainConfig:
    """Two epochs of three steps in float32, on the portable loader, with a tiny net."""
    return TrainConfig(
        data=dataset_npy.path,
        run=tmp_path / "run",
        epochs=2,
        batch_size=8,
        latent_size=16,
        width=4,
        amp=False,
        device="cpu",
        loader="webdataset",
        log_steps=2,
    )


class HostReads(TorchDispatchMode):
    """Counts `item`, `bool` and `float` of tensors while active: each would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.fixture
def host_reads() -> HostReads:
    return HostReads()
