"""What `faceae synth` is asked for, and what it did."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from faceae.errors import FaceaeError

_MAX_COUNT = 999_999
"""A name has six digits."""


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """A set of drawn faces."""

    out: Path
    """A new or empty folder."""
    count: int
    """Pictures."""
    seed: int = 0
    """Another seed draws other people."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes; changes no byte."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MAX_COUNT:
            raise FaceaeError(f"--count must be 1 to {_MAX_COUNT:,}, got {self.count}")
        if self.seed < 0:
            raise FaceaeError(f"--seed must not be negative, got {self.seed}")
        if self.workers < 1:
            raise FaceaeError(f"--workers must be at least 1, got {self.workers}")


@dataclass(frozen=True, kw_only=True)
class SynthSummary:
    """What was drawn."""

    out: Path
    num_identities: int
    num_images: dict[str, int]
    """Pictures in each of train, valid and test."""
    num_bytes: int
    """Of all pictures."""
    restarted: bool
    """Whether an interrupted run's pictures were removed first."""
