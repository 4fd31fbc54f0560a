"""A training that is tracked, and resumed for another epoch."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import faceae_shards
from faceae.runs import Run, TrainConfig
from faceae.training import resume, train


@pytest.fixture
def config(dataset_npy: faceae_shards.Dataset, tmp_path: Path) -> TrainConfig:
    """Two epochs of three steps with a tiny net."""
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


@pytest.fixture
def track(config: TrainConfig) -> Callable[[str], Run]:
    """A function that trains two epochs with a tracker, then a third."""

    def track(name: str) -> Run:
        train(dataclasses.replace(config, tracker=(name,)))
        return resume(config.run, config.data, {"epochs": 3}).run

    return track
