"""Training: the loop, its options, and resuming."""

from faceae.runs import TrainConfig, parse_start

from ._loop import TrainResult, resume, train
from ._observer import Observer
from ._validate import Validation, validate

__all__ = [
    "Observer",
    "TrainConfig",
    "TrainResult",
    "Validation",
    "parse_start",
    "resume",
    "train",
    "validate",
]
