"""Trackers: TensorBoard, Weights & Biases, MLflow, ClearML and those of other packages."""

from ._open import Trackers, check_trackers, open_trackers
from ._tracker import TrackedRun, Tracker

__all__ = [
    "TrackedRun",
    "Tracker",
    "Trackers",
    "check_trackers",
    "open_trackers",
]
