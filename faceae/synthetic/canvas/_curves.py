"""Smooth curves through few points, and brush strokes along them."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
"""N points: N x 2 (x, y) in picture pixels, or N x 3 (x, y, z) in head units.

A function that takes or returns "... x N x 2" handles several paths of one length at once.
"""

_QUARTER_TURN = np.array([(0.0, 1.0), (-1.0, 0.0)])


def curve(points: ArrayLike, *, closed: bool = False, steps: int = 6) -> Points:
    """Return Catmull-Rom curves through `points`, ... x N x D, with `steps` points per segment."""
    control = np.asarray(points, np.float64)
    return _catmull_rom(control.shape[-2], closed, steps) @ control


def ribbon(paths: Points, widths: ArrayLike) -> Points:
    """Return the outlines of brush strokes, ... x 2N x 2, along `paths`, ... x N x 2.

    `widths` is one or N, pixels.
    """
    across = _slopes(paths.shape[-2]) @ (paths @ _QUARTER_TURN)
    length = np.hypot(across[..., 0], across[..., 1])
    across *= (np.asarray(widths) / (2 * length + 1e-9))[..., None]
    return np.concatenate([paths + across, (paths - across)[..., ::-1, :]], axis=-2)


def moved(path: Points, across: float, down: float) -> Points:
    """Return `path` moved by pixels."""
    return np.asarray(path + np.array((across, down)))


def taper(num: int, start: float, middle: float, end: float) -> Points:
    """Return `num` stroke widths that pass from `start` over `middle` to `end`."""
    return np.array((start, middle, end)) @ _tents(num)


def ellipse(centres: ArrayLike, radius_x: float, radius_y: float, *, num: int = 16) -> Points:
    """Return upright ellipses, ... x `num` x 2, around `centres`, ... x 2."""
    return np.asarray(centres, np.float64)[..., None, :] + _circle(num) * (radius_x, radius_y)


@lru_cache
def _tents(num: int) -> Points:
    """Return the weights of start, middle and end along a stroke, 3 x num."""
    t = np.linspace(0, 2, num)
    return np.stack([np.maximum(1 - t, 0), 1 - np.abs(t - 1), np.maximum(t - 1, 0)])


@lru_cache
def _slopes(num: int) -> Points:
    """Return the matrix that maps `num` points to the path's direction at each."""
    return np.asarray(np.gradient(np.eye(num), axis=0))


@lru_cache
def _circle(num: int) -> Points:
    angles = np.linspace(0, 2 * np.pi, num, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@lru_cache
def _catmull_rom(num: int, closed: bool, steps: int) -> Points:
    """Return the matrix that maps `num` control points to points on the curve."""
    num_segments = num if closed else num - 1
    basis = np.zeros((num_segments * steps + (not closed), num))
    for row in range(len(basis)):
        segment = min(row // steps, num_segments - 1)
        t = row / steps - segment
        weights = (
            (-t + 2 * t**2 - t**3) / 2,
            (2 - 5 * t**2 + 3 * t**3) / 2,
            (t + 4 * t**2 - 3 * t**3) / 2,
            (-(t**2) + t**3) / 2,
        )
        for offset, weight in zip(range(-1, 3), weights, strict=True):
            column = segment + offset
            column = column % num if closed else min(max(column, 0), num - 1)
            basis[row, column] += weight
    return basis
