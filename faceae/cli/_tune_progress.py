"""Progress of a study on stderr: a line for each epoch and trial; the table of the best trials."""

import logging
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import click

from faceae.tuning import StudyRecord, StudyView, TrialView, TuneObserver

from ._command import translate


class TuneProgress(TuneObserver):
    """Prints the progress of a study. A context manager; within it, warnings are printed, too."""

    def __init__(self) -> None:
        self._handler = _WarningHandler(logging.WARNING)
        self._record: StudyRecord | None = None

    def __enter__(self) -> Self:
        logging.getLogger("faceae").addHandler(self._handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logging.getLogger("faceae").removeHandler(self._handler)

    def on_study(self, study: StudyView, trials: int) -> None:
        """Print what there is already."""
        self._record = study.record
        done = sum(trial.state in ("complete", "pruned") for trial in study.trials)
        running = sum(trial.state == "running" for trial in study.trials)
        text = f"{study.title}: {done} of {trials} trials done"
        _tell(text + (f", {running} at work" if running else ""))

    def on_trial(self, number: int, chosen: Mapping[str, Any]) -> None:
        """Print the values that a trial has chosen."""
        _tell(f"trial {number}: {format_values(chosen)}")

    def on_epoch(self, number: int, epoch: int, epochs: int, value: float) -> None:
        """Print one line."""
        _tell(f"trial {number}, epoch {epoch}/{epochs}: {self._describe(value)}")

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
        _tell(line)

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


def _tell(line: str) -> None:
    click.echo(line, err=True)
    sys.stderr.flush()


class _WarningHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        context = click.get_current_context(silent=True)
        text = self.format(record)
        click.echo(translate(text, context.command) if context else text, err=True)
