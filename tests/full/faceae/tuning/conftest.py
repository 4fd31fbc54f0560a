"""A training that takes no time, and the options of a study that uses it."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import faceae_shards
from faceae.errors import FaceaeError
from faceae.runs import EpochMetrics, TrainConfig
from faceae.tuning import TuneConfig, make_space
from faceae.tuning import _trial as trial_module


class FakeTraining:
    """Writes a run whose PSNR falls with the width's distance from 20, and grows with epochs."""

    def __init__(self) -> None:
        self.configs: list[TrainConfig] = []
        self.before: Callable[[TrainConfig], None] = lambda config: None
        self.begun: Callable[[TrainConfig], None] = lambda config: None
        self.stop: signal.Signals | None = None

    def __call__(self, config: TrainConfig, observer: Any) -> Any:
        self.before(config)
        self.configs.append(config)
        self._write(config)
        observer.on_start(SimpleNamespace(config=config), step=0, total_steps=1)
        self.begun(config)
        psnr_db = 0.0
        for epoch in range(1, config.epochs + 1):
            psnr_db = 20.0 - abs(config.width - 20) + epoch - 1e3 * abs((config.lr or 1e-3) - 1e-3)
            observer.on_epoch(
                EpochMetrics(
                    step=epoch,
                    epoch=epoch,
                    valid_psnr_db=psnr_db,
                    best_psnr_db=psnr_db,
                    seconds=1.0,
                )
            )
        return SimpleNamespace(
            run=SimpleNamespace(config=config),
            position=SimpleNamespace(best_psnr_db=psnr_db),
            stopped_by=self.stop,
        )

    def _write(self, config: TrainConfig) -> None:
        (config.run / "checkpoints").mkdir(parents=True)
        for name in ("model.safetensors", "metrics.jsonl", "checkpoints/last", ".lock"):
            (config.run / name).write_text(json.dumps([config.width, config.lr]))
        (config.run / "run.json").write_text("{}")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    """Trials use this training; its `configs` are those that it received."""
    fake = FakeTraining()
    monkeypatch.setattr(trial_module, "train", fake)
    return fake


@pytest.fixture
def config(dataset_npy: faceae_shards.Dataset, tmp_path: Path) -> TuneConfig:
    """Eight trials of four epochs over width and learning rate."""
    return TuneConfig(
        data=dataset_npy.path,
        study=tmp_path / "study",
        trials=8,
        space=make_space(
            {"width": {"low": 4, "high": 32}, "lr": {"low": 1e-4, "high": 1e-2, "log": True}}
        ),
        options={"epochs": 4, "seed": 3, "device": "cpu"},
    )


def diverge(config: TrainConfig) -> None:
    """Fail as a training with too high a learning rate does."""
    raise FaceaeError("the loss is not finite at step 7")
