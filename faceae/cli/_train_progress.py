"""Progress of a training on stderr: a bar on a terminal, and a line per epoch."""

import logging
import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from faceae.runs import EpochMetrics, Run, StepMetrics
from faceae.training import Observer

from ._command import translate


class TrainProgress(Observer):
    """Shows the progress of a training. A context manager; its end restores the terminal."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._handler = _StderrHandler(logging.INFO)
        self._epochs = 0
        self._metrics: StepMetrics | None = None

    def __enter__(self) -> Self:
        logger = logging.getLogger("faceae")
        logger.addHandler(self._handler)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        logger = logging.getLogger("faceae")
        logger.setLevel(self._level)
        logger.removeHandler(self._handler)

    def on_start(self, run: Run, *, step: int, total_steps: int) -> None:
        """Print the choices that were made, and show the bar."""
        self._epochs = run.config.epochs
        size = run.model.image_size
        self._tell(
            f"{run.num_train_images} faces of {size}x{size} to train on; "
            f"{run.device}, {run.dtype_reason}"
        )
        self._tell(f"cache: {run.cache} ({run.cache_reason})")
        if step:
            self._tell(f"continuing after step {step} of {total_steps}")
        self._task = self._bar.add_task("training", total=total_steps, completed=step, speed="")

    def on_step(self, step: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step)

    def on_metrics(self, metrics: StepMetrics) -> None:
        """Show speed and loss beside the bar."""
        self._metrics = metrics
        speed = f"{metrics.images_per_s:.0f} img/s  loss {metrics.loss:.4f}"
        epoch = f"epoch {metrics.epoch}/{self._epochs}"
        self._bar.update(self._task, description=epoch, speed=speed)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Print one line."""
        line = (
            f"epoch {metrics.epoch}/{self._epochs}: {metrics.valid_psnr_db:.2f} dB on held-out "
            f"faces after {metrics.seconds:.0f} s"
        )
        # A resumed training may begin after the last step of an epoch, before its evaluation.
        if self._metrics is not None:
            line += f", loss {self._metrics.loss:.4f}, {self._metrics.images_per_s:.0f} img/s"
        self._tell(line)

    def _tell(self, line: str) -> None:
        # While the bar is shown, rich redirects stderr and keeps the bar below the lines.
        click.echo(line, err=True)


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # A loader's thread has no context.
        context = click.get_current_context(silent=True)
        text = self.format(record)
        click.echo(translate(text, context.command) if context else text, err=True)
