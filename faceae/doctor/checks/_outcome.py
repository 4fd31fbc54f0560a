"""What a check returns and raises, and how it compares numbers."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Status = Literal["ok", "FAILED", "not run", "measured"]

_ROUNDS = 5
"""Measurements of each way, in turns, so that other load slows both alike."""


class NotRunError(Exception):
    """A check cannot run on this machine. The text is the reason."""


class DifferenceError(Exception):
    """A check found wrong numbers. The text names them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one check."""

    name: str
    status: Status
    detail: str
    """What was compared or measured, or the reason."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The speed of one way relative to another."""

    ratio: float
    """Median of all rounds."""
    low: float
    high: float
    faces_per_s: float
    """Of the first way."""
    other_faces_per_s: float

    def __str__(self) -> str:
        return (
            f"{self.ratio:.2f} times as fast ({self.low:.2f} - {self.high:.2f} in {_ROUNDS} "
            f"rounds): {self.faces_per_s:,.0f} faces/s against {self.other_faces_per_s:,.0f}"
        )


def compare(found: Any, expected: Any, *, limit: float) -> str:
    """Return the largest difference of two arrays, or sequences of numbers, as text.

    Raises:
        DifferenceError: it exceeds `limit`, is not a number, or the shapes differ.
    """
    left, right = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if left.shape != right.shape:
        raise DifferenceError(f"the shape is {left.shape} instead of {right.shape}")
    error = float(np.abs(left - right).max())
    if not error <= limit:
        raise DifferenceError(f"the largest difference is {error:.3g}, allowed are {limit:.3g}")
    return f"largest difference {error:.2g} (allowed {limit:.2g})"


def require(condition: bool, what: str) -> None:
    """Raise DifferenceError with the text `what` unless `condition` holds."""
    if not condition:
        raise DifferenceError(what)


def measure_speed(
    way: Callable[[], int], other: Callable[[], int], wait: Callable[[], None]
) -> Speed:
    """Measure two ways of the same work in turns.

    Args:
        way: does the work once, and returns the number of faces.
        wait: waits until the device has finished.
    """
    rates: tuple[list[float], list[float]] = ([], [])
    # The first round warms up.
    for turn in range(1 + _ROUNDS):
        for run, found in zip((way, other), rates, strict=True):
            wait()
            began = time.perf_counter()
            num_faces = run()
            wait()
            if turn > 0:
                found.append(num_faces / (time.perf_counter() - began))
    ratios = [left / right for left, right in zip(*rates, strict=True)]
    return Speed(
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        faces_per_s=statistics.median(rates[0]),
        other_faces_per_s=statistics.median(rates[1]),
    )
