"""Configuration and summary of drawing a set of faces."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from faceae.errors import FaceaeError

_MAX_COUNT = 999_999
"""The largest number of pictures: a name has six digits."""


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """Configuration of a set of drawn faces."""

    out: Path
    """A new or empty folder."""
    count: int
    """Number of pictures."""
    seed: int = 0
    """Another seed draws other people."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Number of processes. Does not change the output."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MAX_COUNT:
            raise FaceaeError(f"`count` must be 1 to {_MAX_COUNT:,}, got {self.count}")
        if self.seed < 0:
            raise FaceaeError(f"`seed` must not be negative, got {self.seed}")
        if self.workers < 1:
            raise FaceaeError(f"`workers` must be at least 1, got {self.workers}")


@dataclass(frozen=True, kw_only=True)
class SynthSummary:
    """Summary of a drawn set."""

    out: Path
    num_identities: int
    num_images: dict[str, int]
    """Pictures in each of train, valid and test."""
    num_bytes: int
    """Total size of all picture files."""
    restarted: bool
    """Whether an interrupted run's pictures were removed first."""
