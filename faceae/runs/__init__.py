"""Training runs: what a run's folder holds, and how to load it."""

from ._trained import TrainedModel, load_trained

__all__ = [
    "TrainedModel",
    "load_trained",
]
