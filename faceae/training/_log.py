"""What a run tells: metrics.jsonl, TensorBoard, grids, and whoever watches."""

import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from faceae.data import Batch
from faceae.pictures import save_grid

from ._checkpoint import Bookmark
from ._evaluate import Evaluation
from ._objective import Losses
from ._run import Run
from ._step import TrainState

METRICS_NAME = "metrics.jsonl"
GRIDS_NAME = "grids"
_GRID_COLUMNS = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """Means over the steps since the last ones, and over all processes."""

    step: int
    """Steps done."""
    epoch: int
    """The epoch at work, from 1."""
    loss: float
    """What is minimised: mean squared error in [-1, 1] on training faces, and the penalty."""
    penalty: float
    """What a model that is not plain adds to the loss."""
    lr: float
    skipped_steps: int
    """Steps since the last ones that left the weights alone, since float16 gradients overflowed."""
    images_per_s: float
    """Of all processes together."""
    data_wait_share: float
    """Part of the time the host waited for the loader, 0 to 1."""
    seconds: float
    """Time spent training and measuring, over all the run's sessions."""


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """Quality after an epoch."""

    step: int
    epoch: int
    valid_psnr_db: float
    best_psnr_db: float
    seconds: float


class Observer:
    """Told how a training goes; this one does nothing with it."""

    def on_start(self, run: Run, *, step: int, total_steps: int) -> None:
        """The first step comes next; `step` were done by earlier sessions."""

    def on_step(self, step: int) -> None:
        """Step number `step` is queued; must not wait for the device."""

    def on_metrics(self, metrics: StepMetrics) -> None:
        """A log step."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """An epoch has been trained and measured."""


class Window:
    """Losses and time of the steps since the last log step; losses are summed on the device."""

    def __init__(self, train_state: TrainState) -> None:
        self._train_state = train_state
        self._count_skipped = train_state.scaler.is_enabled()
        self._taken_steps = train_state.count_taken_steps() if self._count_skipped else 0
        self.restart()

    def restart(self) -> None:
        """Forget the steps so far, and start the clock."""
        self._losses = torch.zeros(2, device=self._train_state.device)
        self._num_steps = 0
        self._num_images = 0
        self._wait_s = 0.0
        self._start = time.perf_counter()

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield `batches`, counting them and the time each made the host wait."""
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self._wait_s += time.perf_counter() - start
            self._num_steps += 1
            self._num_images += len(batch.images)
            yield batch

    def add(self, losses: Losses) -> None:
        """Add the losses of one step."""
        self._losses += torch.stack(losses)

    def close(
        self,
        sum_over_ranks: Callable[[Sequence[float]], Sequence[float]],
        *,
        step: int,
        epoch: int,
        lr: float,
        seconds: float,
    ) -> StepMetrics:
        """Return the means over steps and processes, and start anew. Waits for the device."""
        loss, penalty = (self._losses / self._num_steps).tolist()
        elapsed_s = time.perf_counter() - self._start
        num_ranks, loss_sum, penalty_sum, speed_sum, wait_sum = sum_over_ranks(
            [1, loss, penalty, self._num_images / elapsed_s, self._wait_s / elapsed_s]
        )
        metrics = StepMetrics(
            step=step,
            epoch=epoch,
            loss=loss_sum / num_ranks,
            penalty=penalty_sum / num_ranks,
            lr=lr,
            skipped_steps=self._read_skipped_steps(),
            images_per_s=speed_sum,
            data_wait_share=wait_sum / num_ranks,
            seconds=seconds,
        )
        self.restart()
        return metrics

    def _read_skipped_steps(self) -> int:
        if not self._count_skipped:
            return 0
        before, self._taken_steps = self._taken_steps, self._train_state.count_taken_steps()
        return self._num_steps - (self._taken_steps - before)


class RunLog:
    """metrics.jsonl, TensorBoard events and grids of one run."""

    def __init__(self, run: Run, bookmark: Bookmark | None = None) -> None:
        """Open the logs of a new run, or cut them back to where `bookmark` was made."""
        purge_step = None
        path = run.path / METRICS_NAME
        if bookmark is not None:
            _cut_back(path, bookmark.metrics_bytes)
            purge_step = bookmark.position.step + 1
        self._metrics = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(run.path / "tensorboard", purge_step=purge_step)
        self._run = run
        (run.path / GRIDS_NAME).mkdir(exist_ok=True)

    def write(self, metrics: StepMetrics | EpochMetrics) -> None:
        """Add one line to metrics.jsonl and the same numbers to TensorBoard."""
        record = dataclasses.asdict(metrics)
        self._metrics.write(json.dumps(record) + "\n")
        self._metrics.flush()
        for name, value in record.items():
            self._board.add_scalar(name, value, metrics.step)

    def draw(self, evaluation: Evaluation, *, step: int, epoch: int) -> None:
        """Write held-out faces over their reconstructions, in rows that take turns."""
        num_shown = len(evaluation.originals)
        columns = min(_GRID_COLUMNS, num_shown)
        rows: list[torch.Tensor] = []
        for start in range(0, num_shown - columns + 1, columns):
            rows += [
                evaluation.originals[start : start + columns],
                evaluation.reconstructions[start : start + columns],
            ]
        images_NCHW = torch.cat(rows)
        images_NHWC = images_NCHW.permute(0, 2, 3, 1).numpy()
        save_grid(grid_path(self._run, epoch), images_NHWC, columns=columns)
        # TensorBoard lays them out itself, in rows of eight.
        self._board.add_images("faces", images_NCHW, step)

    def sync(self) -> int:
        """Put all on the disk, and return the length of metrics.jsonl in bytes."""
        self._board.flush()
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        return self._metrics.tell()

    def close(self) -> None:
        """Close the files."""
        self._board.close()
        self._metrics.close()


def grid_path(run: Run, epoch: int) -> Path:
    """Return where the grid of held-out faces after epoch `epoch`, from 1, is written."""
    return run.path / GRIDS_NAME / f"epoch-{epoch:04}.png"


def _cut_back(path: Path, num_bytes: int) -> None:
    """Drop the lines that steps after the checkpoint wrote: they will be written again."""
    found = path.stat().st_size if path.exists() else 0
    if found < num_bytes:
        log.warning("%s is shorter than it was; earlier metrics are lost", path)
    elif found > num_bytes:
        os.truncate(path, num_bytes)
