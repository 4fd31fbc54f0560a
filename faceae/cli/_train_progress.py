"""Progress of a training on stderr: a bar on a terminal, and a line per epoch."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from faceae.runs import EpochMetrics, Run, StepMetrics
from faceae.training import Observer
from faceae_shards import count_of

from ._watching import find_watch


class TrainProgress(Observer):
    """Shows the progress of a training. A context manager; its end restores the terminal."""

    def __init__(self) -> None:
        self._watch = find_watch()
        is_shown = self._watch.is_terminal and not self._watch.is_quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not is_shown,
        )
        self._task = self._bar.add_task("starting", total=None, figures="")
        self._run: Run | None = None
        self._step = self._total_steps = 0
        self._metrics: StepMetrics | None = None
        self._psnr_db: float | None = None

    def __enter__(self) -> Self:
        self._watch.has_bar = True
        self._watch.on_stage = self._show_stage
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        self._watch.has_bar = False
        self._watch.on_stage = lambda stage: None

    def on_start(self, run: Run, *, step: int, total_steps: int) -> None:
        """Print the choices that were made, and show the bar."""
        self._run, self._step, self._total_steps = run, step, total_steps
        size = run.model.image_size
        self._watch.tell(
            f"{count_of(run.num_train_images, 'face')} of {size}x{size} to train on; "
            f"{run.device}, {run.dtype_reason}"
        )
        self._watch.tell(f"cache: {run.cache} ({run.cache_reason})")
        if step:
            self._watch.tell(f"continuing after step {step} of {total_steps}")
        self._bar.update(self._task, description="training", total=total_steps, completed=step)

    def on_step(self, step: int) -> None:
        """Move the bar."""
        self._step = step
        self._bar.update(self._task, completed=step)
        self._watch.note(self._describe)

    def on_metrics(self, metrics: StepMetrics) -> None:
        """Show loss, quality and speed beside the bar."""
        self._metrics = metrics
        self._bar.update(self._task, description=self._epoch, figures=self._figures)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Print one line."""
        self._psnr_db = metrics.valid_psnr_db
        line = (
            f"epoch {metrics.epoch}/{self._num_epochs}: {metrics.valid_psnr_db:.2f} dB on held-out "
            f"faces after {metrics.seconds:.0f} s"
        )
        # A resumed training may begin after the last step of an epoch, before its evaluation.
        if self._metrics is not None:
            line += f", loss {self._metrics.loss:.4f}, {self._metrics.images_per_s:.0f} faces/s"
        # While the bar is shown, rich redirects stderr and keeps the bar below the lines.
        self._watch.tell(line)

    @property
    def _num_epochs(self) -> int:
        return self._run.config.epochs if self._run else 0

    @property
    def _epoch(self) -> str:
        """Return the epoch of the last step. The metrics may still be those of the one before."""
        if self._metrics is None:
            return "training"
        return f"epoch {-(-self._step * self._num_epochs // self._total_steps)}/{self._num_epochs}"

    @property
    def _figures(self) -> str:
        """Return the loss and speed since the last log step, and the last epoch's quality."""
        if self._metrics is None:
            return ""
        psnr = "" if self._psnr_db is None else f"  held-out {self._psnr_db:.2f} dB"
        return f"loss {self._metrics.loss:.4f}{psnr}  {self._metrics.images_per_s:.0f} faces/s"

    def _describe(self) -> str:
        figures = self._figures.replace("  ", ", ")
        done = f"{self._epoch}, step {self._step:,} of {self._total_steps:,}"
        return f"{done}, {figures}" if figures else done

    def _show_stage(self, stage: str) -> None:
        self._bar.update(self._task, description=stage)
