"""What a tracker must do.

A package offers one as an entry point of the group `faceae.trackers`, whose name is the tracker's:
a subclass of `Tracker`, or a function of a `TrackedRun` that returns one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run that a tracker follows."""

    name: str
    """Name of the run's folder."""
    path: Path
    """The run's folder."""
    options: Mapping[str, str | int | float | bool | None]
    """Options of the training, by name."""
    reference: str | None
    """What the tracker's `reference` was when it was last opened for this run. None: it is new."""
    last_step: int | None
    """Number of steps done when the training continues. Later steps that were reported before are
    reported again. None: the training is new."""


class Tracker(ABC):
    """Receives the figures and faces of one training.

    Exceptions of its methods are reported once, and the training continues without the tracker. An
    exception of its constructor ends the training before it begins.
    """

    is_local = False
    """Whether the methods only write to this machine's disk. Those of other trackers are called in
    a thread of their own, so that training does not wait for a server."""
    reference: str | None = None
    """Text that finds the tracker's run again when the training is resumed."""

    @abstractmethod
    def __init__(self, run: TrackedRun) -> None:
        """Begin to follow `run`, or continue where `run.reference` names a run of the tracker."""

    @abstractmethod
    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of one step, or of one epoch, by name."""

    @abstractmethod
    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Add held-out faces and their reconstructions.

        Args:
            images_NCHW: N x 3 x H x W uint8, on the CPU; rows of eight originals, or fewer, over
                their reconstructions.
            grid: PNG file with these images.
        """

    def flush(self) -> None:  # noqa: B027
        """Write what was received so far."""

    @abstractmethod
    def close(self, *, is_finished: bool) -> None:
        """End the run. `is_finished`: all epochs were trained; else it may be continued."""
