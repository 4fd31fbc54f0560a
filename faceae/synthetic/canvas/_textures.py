"""Noise pictures, made once per process; a face uses a window of them."""

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ._canvas import HEIGHT, WIDTH, Pixels

Grid = NDArray[np.floating]
"""One number per pixel, H x W."""
Flow = Literal["straight", "wavy", "curly", "cropped", "fringe"]

NUM_STRAND_VARIANTS = 6
"""Number of variants of the strands of each flow."""

_SHEET = 512
"""Side of a noise picture, pixels."""
_MARGIN = 48
"""Largest distance of a head's centre from its usual place, pixels."""
_CENTRE = (WIDTH // 2 + _MARGIN, 101 + _MARGIN)


def sensor_noise(rng: np.random.Generator) -> Pixels:
    """Return a camera's noise for one picture, H x W x 3, of standard deviation about 1."""
    return _window(rng, _sensor_sheet(), (HEIGHT, WIDTH))


def stubble(rng: np.random.Generator) -> Pixels:
    """Return fine upright flecks, H x W, of standard deviation 1."""
    return _window(rng, _stubble_sheet(), (HEIGHT, WIDTH))


def speckle(rng: np.random.Generator, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Pixels:
    """Return fine grain, of standard deviation 1."""
    return _window(rng, _grey_sheet(), size)


def clouds(rng: np.random.Generator, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Pixels:
    """Return soft blotches a dozen pixels wide, of standard deviation 1."""
    return _window(rng, _cloud_sheet(), size)


def strands(flow: Flow, variant: int, centre: tuple[float, float]) -> Pixels:
    """Return hair strands flowing around a head, H x W, of standard deviation 1.

    `centre` is the head's centre in the picture; the strands run over it from the crown and fall
    straight beside it.
    """
    left = int(np.clip(_CENTRE[0] - round(centre[0]), 0, 2 * _MARGIN))
    top = int(np.clip(_CENTRE[1] - round(centre[1]), 0, 2 * _MARGIN))
    return _strand_sheet(flow, variant)[top : top + HEIGHT, left : left + WIDTH]


def _window(rng: np.random.Generator, sheet: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a random part of a sheet."""
    top, left = rng.integers(_SHEET - size[0]), rng.integers(_SHEET - size[1])
    return sheet[top : top + size[0], left : left + size[1]]


def _noise(seed: int, shape: tuple[int, ...]) -> Pixels:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def _blur(pixels: Pixels, sigma_x: float, sigma_y: float) -> Pixels:
    blurred = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y))
    return np.asarray(blurred / blurred.std(), np.float32)


@lru_cache
def _sensor_sheet() -> Pixels:
    colour = _blur(_noise(2, (_SHEET, _SHEET, 3)), 1.0, 1.0)
    return np.asarray(0.9 * _grey_sheet()[..., None] + 0.45 * colour, np.float32)


@lru_cache
def _grey_sheet() -> Pixels:
    return _blur(_noise(1, (_SHEET, _SHEET)), 0.6, 0.6)


@lru_cache
def _stubble_sheet() -> Pixels:
    return _blur(_noise(3, (_SHEET, _SHEET)), 0.5, 1.0)


@lru_cache
def _cloud_sheet() -> Pixels:
    broad = _blur(_noise(4, (_SHEET, _SHEET)), 12, 12)
    return np.asarray((broad + 0.5 * _blur(_noise(5, (_SHEET, _SHEET)), 4, 4)) / 1.12, np.float32)


@lru_cache(maxsize=64)
def _strand_sheet(flow: Flow, variant: int) -> Pixels:
    """Return strands over a frame that is wide enough for any head position."""
    height, width = HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN
    y, x = np.mgrid[:height, :width].astype(np.float32)
    dx, dy = x - _CENTRE[0], y - _CENTRE[1]
    if flow == "curly":
        return _curls(variant, dx, dy)
    across, along = _flow_lines(flow, variant, dx, dy)
    flowing = cv2.remap(
        _combed_sheet(variant),
        (across + _SHEET / 2).astype(np.float32),
        (along + 60).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(flowing, np.float32)


@lru_cache
def _combed_sheet(variant: int) -> Pixels:
    """Return strands that run straight down."""
    lines = _blur(_noise(10 + variant, (_SHEET, _SHEET)), 0.7, 14)
    locks = _blur(_noise(40 + variant, (_SHEET, _SHEET)), 2.6, 26)
    return np.asarray(0.6 * lines + 0.8 * locks, np.float32)


def _flow_lines(flow: Flow, variant: int, dx: Pixels, dy: Pixels) -> tuple[Grid, Grid]:
    """Return each pixel's position across and along the strands, pixels."""
    if flow == "cropped":
        return np.arctan2(dx, 20 - dy) * 70, np.hypot(dx, dy) * 1.5
    if flow == "fringe":
        return dx * (1 - 0.002 * dy), dy
    radius = np.where(dy < 0, np.hypot(dx, 0.8 * dy), np.abs(dx))
    along = np.where(dy < 0, np.arctan2(np.abs(dx), -dy) * 50, 78 + dy)
    if flow == "wavy":
        radius = radius + 4.5 * np.sin(along / (7 + variant % 3) + 1.3 * variant + 0.03 * radius)
    return radius * np.where(dx < 0, -1, 1), along


def _curls(variant: int, dx: Pixels, dy: Pixels) -> Pixels:
    shape = (dx.shape[0], dx.shape[1])
    tufts = _blur(_noise(70 + variant, shape), 0.9, 0.9)
    swirl = np.sin(3.0 * _blur(_noise(90 + variant, shape), 3.5, 3.5) + 0.5 * tufts)
    curls = 0.7 * swirl + 0.6 * tufts + 0.7 * _blur(_noise(110 + variant, shape), 5, 5)
    return np.asarray(0.65 * curls / curls.std(), np.float32)
