"""Progress of a study on stderr: a line for each epoch and trial; the table of the best trials."""

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from faceae.tuning import StudyRecord, StudyView, TrialView, TuneObserver

from ._watching import find_watch

_CHATTY = ("faceae.training", "faceae.data", "faceae.model")
"""Loggers that describe a training."""


class TuneProgress(TuneObserver):
    """Prints the progress of a study. A context manager: within it trainings print no lines of
    their own, except with -v."""

    def __init__(self) -> None:
        self._watch = find_watch()
        self._record: StudyRecord | None = None
        self._levels: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._watch.level > logging.DEBUG:
            for name in _CHATTY:
                self._levels[name] = logging.getLogger(name).level
                logging.getLogger(name).setLevel(logging.WARNING)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def on_study(self, study: StudyView, trials: int) -> None:
        """Print what there is already."""
        self._record = study.record
        done = sum(trial.state in ("complete", "pruned") for trial in study.trials)
        running = sum(trial.state == "running" for trial in study.trials)
        text = f"{study.title}: {done} of {trials} trials done"
        self._watch.tell(text + (f", {running} at work" if running else ""))

    def on_trial(self, number: int, chosen: Mapping[str, Any]) -> None:
        """Print the values that a trial has chosen."""
        self._watch.tell(f"trial {number}: {format_values(chosen)}")
        self._watch.note(lambda: f"trial {number}, epoch 1")

    def on_epoch(self, number: int, epoch: int, epochs: int, value: float) -> None:
        """Print one line."""
        line = f"trial {number}, epoch {epoch}/{epochs}: {self._describe(value)}"
        self._watch.tell(line)
        self._watch.note(lambda: f"working after {line}")

    def on_trial_end(self, trial: TrialView, best: TrialView | None) -> None:
        """Print the outcome of a trial beside the best one."""
        parts = [f"trial {trial.number} {trial.state}"]
        if trial.value is not None:
            parts.append(self._describe(trial.value))
        if trial.seconds is not None:
            parts.append(f"{trial.seconds:.0f} s")
        line = ", ".join(parts) + (f" ({trial.note})" if trial.note else "")
        if best is not None and best.value is not None:
            line += f"; best is trial {best.number}, {self._describe(best.value)}"
        self._watch.tell(line)

    def _describe(self, value: float) -> str:
        return f"{value:.4g}" if self._record is None else self._record.describe(value)


def format_values(params: Mapping[str, Any]) -> str:
    """Return what a trial has chosen on one line."""
    return " ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    )


def format_trials(record: StudyRecord, trials: Sequence[TrialView]) -> list[str]:
    """Return a table of complete trials: number, value, time and what was chosen."""
    lines = ["trial" + f"{'PSNR' if record.maximizes else 'distance':>10}      time  options"]
    for trial in trials:
        value = "-" if trial.value is None else f"{trial.value:.2f}"
        seconds = "-" if trial.seconds is None else f"{trial.seconds:.0f} s"
        lines.append(f"{trial.number:5}{value:>10}{seconds:>10}  {format_values(trial.params)}")
    return lines
