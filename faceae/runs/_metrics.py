"""The metrics of a run, and metrics.jsonl that holds them."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from faceae.errors import FaceaeError

from ._run import Run


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """Means over the steps since the previous log step, and over all processes."""

    step: int
    """Number of steps done."""
    epoch: int
    """Current epoch, counted from 1."""
    loss: float
    """Mean squared error on training faces, pixels in [-1, 1], plus the penalty."""
    penalty: float
    """Term that a variational or regularised model adds to the loss."""
    lr: float
    skipped_steps: int
    """Steps that left the weights unchanged because float16 gradients overflowed."""
    images_per_s: float
    """Throughput of all processes together."""
    data_wait_share: float
    """Share of the time in which the host waited for the loader, 0 to 1."""
    seconds: float
    """Time spent on training and validation since the run began, without interruptions."""
    discriminator_accuracy: float | None = None
    """Share of photographs and drawn faces that the discriminator of an adversarial model tells
    rightly, a moving average. 0.5: it guesses. 1: the decoder never deceives it."""


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """Quality on held-out faces after an epoch."""

    step: int
    """Number of steps done."""
    epoch: int
    """Number of epochs done."""
    valid_psnr_db: float
    best_psnr_db: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class History:
    """The metrics of a run so far, in order."""

    steps: tuple[StepMetrics, ...]
    epochs: tuple[EpochMetrics, ...]


def read_history(run: Run) -> History:
    """Read the metrics of a run, which may still be training. Empty before its first log step.

    A last line without a line end is left out: it is still being written, or the machine went down
    while it was.

    Raises:
        FaceaeError: naming a damaged line.
    """
    path = run.metrics_path
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    steps: list[StepMetrics] = []
    epochs: list[EpochMetrics] = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = json.loads(line)
            if "loss" in record:
                steps.append(StepMetrics(**_select(record, StepMetrics)))
            else:
                epochs.append(EpochMetrics(**_select(record, EpochMetrics)))
        except (KeyError, TypeError, ValueError) as error:
            raise FaceaeError(
                f"{path}: line {number} is damaged, or written by another faceae ({error}); "
                "resume the run, which cuts off what follows the last checkpoint, or restore a copy"
            ) from error
    return History(steps=tuple(steps), epochs=tuple(epochs))


def _select(record: dict[str, Any], kind: type[StepMetrics | EpochMetrics]) -> dict[str, Any]:
    return {
        field.name: record[field.name]
        for field in dataclasses.fields(kind)
        if field.name in record or field.default is dataclasses.MISSING
    }
