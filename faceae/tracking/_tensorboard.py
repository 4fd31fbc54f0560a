"""TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from ._tracker import TrackedRun, Tracker


class TensorBoardTracker(Tracker):
    """Writes events into the folder tensorboard of the run."""

    is_local = True

    def __init__(self, run: TrackedRun) -> None:
        purge_step = None if run.last_step is None else run.last_step + 1
        self._board = SummaryWriter(run.path / "tensorboard", purge_step=purge_step)

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Add scalars."""
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Add the images, which TensorBoard arranges in rows of eight."""
        self._board.add_images("faces", images_NCHW, step)

    def flush(self) -> None:
        """Write the events to the disk."""
        self._board.flush()

    def close(self, *, is_finished: bool) -> None:
        """Close the file."""
        self._board.close()
