"""The log of a run: metrics.jsonl, trackers, and grids of held-out faces."""

import dataclasses
import json
import logging
import os
from pathlib import Path

import torch

from faceae.pictures import save_grid
from faceae.runs import EpochMetrics, Run, StepMetrics
from faceae.tracking import open_trackers

from ._checkpoint import Checkpoint

_GRID_COLUMNS = 8

log = logging.getLogger(__name__)


class RunLog:
    """Writes metrics.jsonl and grids of one run, and gives both to its trackers."""

    is_finished = False
    """Whether all epochs were trained, which the trackers receive at the end."""

    def __init__(self, run: Run, checkpoint: Checkpoint | None = None) -> None:
        """Open the log of a new run, or cut it back to where `checkpoint` was written.

        Raises:
            FaceaeError: a tracker cannot begin.
        """
        last_step = None if checkpoint is None else checkpoint.position.step
        self._trackers = open_trackers(run, last_step)
        if checkpoint is not None:
            _cut_back(run.metrics_path, checkpoint.metrics_bytes)
        self._metrics = run.metrics_path.open("a", encoding="utf-8")
        self._run = run
        run.grids_path.mkdir(exist_ok=True)

    def write(self, metrics: StepMetrics | EpochMetrics) -> None:
        """Add one line to metrics.jsonl, and give the same numbers to the trackers."""
        record = {k: v for k, v in dataclasses.asdict(metrics).items() if v is not None}
        self._metrics.write(json.dumps(record) + "\n")
        self._metrics.flush()
        self._trackers.add_figures(record, metrics.step)

    def draw(
        self, originals: torch.Tensor, reconstructions: torch.Tensor, *, step: int, epoch: int
    ) -> None:
        """Write a grid: each row of originals above the row of their reconstructions.

        Args:
            originals: N x 3 x H x W uint8, on the CPU.
            reconstructions: the same.
        """
        num_shown = len(originals)
        columns = min(_GRID_COLUMNS, num_shown)
        rows: list[torch.Tensor] = []
        for start in range(0, num_shown - columns + 1, columns):
            rows += [
                originals[start : start + columns],
                reconstructions[start : start + columns],
            ]
        images_NCHW = torch.cat(rows)
        images_NHWC = images_NCHW.permute(0, 2, 3, 1).numpy()
        grid = self._run.grid_path(epoch)
        save_grid(grid, images_NHWC, columns=columns)
        self._trackers.add_faces(images_NCHW, grid, step)

    def sync(self) -> int:
        """Write everything to the disk, and return the length of metrics.jsonl in bytes."""
        self._trackers.flush()
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        return self._metrics.tell()

    def close(self) -> None:
        """Close the files, and wait for the trackers."""
        self._metrics.close()
        self._trackers.close(is_finished=self.is_finished)


def _cut_back(path: Path, num_bytes: int) -> None:
    """Drop the lines of steps after the checkpoint, which will be written again."""
    found = path.stat().st_size if path.exists() else 0
    if found < num_bytes:
        log.warning("%s is shorter than it was; earlier metrics are lost", path)
    elif found > num_bytes:
        os.truncate(path, num_bytes)
