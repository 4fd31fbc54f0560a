"""Means over the steps between two log steps."""

import time
from pathlib import Path

import pytest
import torch

from faceae.data import Batch
from faceae.distributed import Ranks
from faceae.model import ModelConfig
from faceae.runs import StepMetrics, TrainConfig
from faceae.training.records import StepMeter
from faceae.training.step import Losses, make_train_state

CPU = torch.device("cpu")
BATCH = Batch(torch.zeros(8, 3, 32, 32, dtype=torch.uint8), 8)


@pytest.fixture
def meter() -> StepMeter:
    train_state = make_train_state(
        ModelConfig(image_size=32, latent_size=16, width=4),
        TrainConfig(data=Path("data"), run=Path("run"), init="random"),
        device=CPU,
        amp_dtype=None,
        total_steps=20,
        ranks=Ranks(),
    )
    return StepMeter(train_state)


def take_steps(meter: StepMeter, losses: list[float]) -> None:
    batches = meter.timed(iter([BATCH] * len(losses)))
    for loss, _ in zip(losses, batches, strict=False):
        meter.add(Losses(torch.tensor(loss), torch.tensor(loss / 2)))


def read(meter: StepMeter) -> StepMetrics:
    return meter.read(list, step=2, epoch=1, lr=0.1, seconds=1.0)


def test_means_of_the_losses(meter: StepMeter) -> None:
    take_steps(meter, [1.0, 3.0])
    metrics = read(meter)
    assert (metrics.loss, metrics.penalty, metrics.skipped_steps) == (2.0, 1.0, 0)
    take_steps(meter, [5.0])
    assert read(meter).loss == 5.0


def test_time_before_a_reset_does_not_count(meter: StepMeter) -> None:
    take_steps(meter, [1.0])
    time.sleep(0.5)
    meter.reset()
    take_steps(meter, [1.0])
    assert read(meter).images_per_s > 8 / 0.5


def test_wait_for_batches_is_a_share_of_the_time(meter: StepMeter) -> None:
    def slow() -> Batch:
        time.sleep(0.2)
        return BATCH

    for _ in meter.timed(iter(slow() for _ in range(2))):
        meter.add(Losses(torch.tensor(1.0), torch.tensor(0.0)))
    assert 0.5 < read(meter).data_wait_share <= 1.0
