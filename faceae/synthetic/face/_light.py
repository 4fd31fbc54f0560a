"""Light on a face: a relief of soft bumps and its shading.

It is computed at half size and enlarged, because light changes slowly over skin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import cos, radians, sin
from typing import TypeAlias

import cv2
import numpy as np

from ..canvas import HEIGHT, WIDTH, Pixels
from ._face import Face

_HALF = (WIDTH // 2, HEIGHT // 2)
COLUMNS = (np.arange(_HALF[0], dtype=np.float32) * 2 + 1)[:, None]
"""Position across of each column of a half-size picture, pixels."""
ROWS = (np.arange(_HALF[1], dtype=np.float32) * 2 + 1)[:, None]
"""Position down of each row of a half-size picture, pixels."""

Bump: TypeAlias = tuple[float, float, float, float, float]
"""x and y on the face, height, spread across and down, all in head units."""


def enlarge(half: Pixels) -> Pixels:
    """Return a half-size picture at full size."""
    return np.asarray(cv2.resize(half, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.float32)


def shrink(full: Pixels) -> Pixels:
    """Return a full-size picture at half size."""
    return np.asarray(cv2.resize(full, _HALF, interpolation=cv2.INTER_AREA), np.float32)


def shift(half: Pixels, across: float, down: float) -> Pixels:
    """Return a half-size picture moved by full-size pixels, as a shadow is cast."""
    move = np.array([[1, 0, across / 2], [0, 1, down / 2]], np.float32)
    return np.asarray(cv2.warpAffine(half, move, _HALF), np.float32)


def soft_spots(face: Face, spots: Sequence[Bump], lift: float = 0.0) -> Pixels:
    """Return the sum of round soft spots on the face, half size."""
    bumps = np.array(spots)
    centres = face.place(bumps[:, :2], lift).astype(np.float32)
    spread = (bumps[:, 3:5] * face.scale).astype(np.float32)
    x, y = (COLUMNS - centres[:, 0]) / spread[:, 0], (ROWS - centres[:, 1]) / spread[:, 1]
    across, down = np.exp(-0.5 * x * x), np.exp(-0.5 * y * y)
    # Not NumPy's product: its BLAS may start threads in every worker process.
    heights, none = down * bumps[:, 2].astype(np.float32), np.empty(0, np.float32)
    return np.asarray(cv2.gemm(heights, across, 1, none, 0, flags=cv2.GEMM_2_T), np.float32)


def both_sides(bumps: Sequence[Bump]) -> list[Bump]:
    """Return `bumps` and their mirror images."""
    return [*bumps, *((-x, y, height, wide, high) for x, y, height, wide, high in bumps)]


@dataclass(frozen=True)
class Light:
    """The light of a picture."""

    face: Face

    @cached_property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector towards the light: right, down, towards the camera."""
        azimuth = radians(self.face.picture.light.azimuth)
        elevation = radians(self.face.picture.light.elevation)
        return sin(azimuth) * cos(elevation), -sin(elevation), cos(azimuth) * cos(elevation)

    @cached_property
    def ambient(self) -> float:
        """Share of ambient light."""
        return 0.62 - 0.3 * self.face.picture.light.hardness

    def on_relief(self, height: Pixels) -> tuple[Pixels, Pixels]:
        """Return the light on a relief and its gloss, both half size.

        `height` is half size too, in pixels of the full picture. Light is 1 where the relief faces
        the camera and the light comes from there.
        """
        slope_x = np.asarray(cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 16), np.float32)
        slope_y = np.asarray(cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 16), np.float32)
        x, y, z = self.direction
        norm = 1 / np.sqrt(slope_x**2 + slope_y**2 + 1)
        facing = (z - x * slope_x - y * slope_y) * norm
        # The light wraps a little around the shadow's edge: skin and a room scatter it.
        diffuse = np.maximum(facing + 0.25, 0) / 1.25
        light = self.ambient * (0.55 + 0.45 * norm) + (1.06 - self.ambient) * diffuse
        halfway = np.array([x, y, z + 1]) / np.sqrt(x * x + y * y + (z + 1) ** 2)
        shine = (halfway[2] - halfway[0] * slope_x - halfway[1] * slope_y) * norm
        # Compute the 24th power by squares: pow() is much slower.
        gloss = np.maximum(shine, 0) ** 2
        gloss *= gloss
        gloss *= gloss
        gloss *= gloss * gloss
        return np.asarray(light, np.float32), np.asarray(gloss, np.float32)
