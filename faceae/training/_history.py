"""metrics.jsonl, read back."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from faceae.errors import FaceaeError

from ._log import METRICS_NAME, EpochMetrics, StepMetrics
from ._run import Run


@dataclass(frozen=True, kw_only=True)
class History:
    """How a run went so far."""

    steps: tuple[StepMetrics, ...]
    """One a log step, in order."""
    epochs: tuple[EpochMetrics, ...]
    """One an epoch, in order."""


def read_history(run: Run) -> History:
    """Read the metrics of a run, also of one at work or killed; empty before its first log step.

    A last line without an end is still being written, or was when the machine went down; it is
    left out.

    Raises:
        FaceaeError: naming a damaged line.
    """
    path = run.path / METRICS_NAME
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
                "--resume cuts off what follows the last checkpoint; else restore a copy"
            ) from error
    return History(steps=tuple(steps), epochs=tuple(epochs))


def _select(record: dict[str, Any], kind: type[StepMetrics | EpochMetrics]) -> dict[str, Any]:
    return {field.name: record[field.name] for field in dataclasses.fields(kind)}
