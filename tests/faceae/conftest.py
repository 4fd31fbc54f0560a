"""A small training, for the tests of several rooms."""

from pathlib import Path

import pytest

import faceae_shards
from faceae.runs import TrainConfig


@pytest.fixture
def config(dataset_npy: faceae_shards.Dataset, tmp_path: Path) -> TrainConfig:
    """Two epochs of three steps in float32 from random weights, on the portable loader, with a tiny
    net."""
    return TrainConfig(
        data=dataset_npy.path,
        run=tmp_path / "run",
        epochs=2,
        batch_size=8,
        latent_size=16,
        width=4,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
        log_steps=2,
    )
