"""Draws the background, out of focus."""

from collections.abc import Callable

import cv2
import numpy as np

from ..canvas import HEIGHT, WIDTH, Canvas, Pixels, clouds, ellipse, smooth, speckle
from ..traits import Background, random_colour

_SCALE = 0.5
"""Size at which a background is drawn: half of the picture's, since it is out of focus."""
_SMALL = (int(HEIGHT * _SCALE), int(WIDTH * _SCALE))


def draw_background(kind: Background, rng: np.random.Generator) -> Pixels:
    """Return a background, H x W x 3, in [0, 255]."""
    painters: dict[Background, Callable[[np.random.Generator], Pixels]] = {
        "gradient": _gradient,
        "bokeh": _bokeh,
        "wall": _wall,
        "backdrop": _backdrop,
        "foliage": _foliage,
        "window": _window,
        "bricks": _bricks,
    }
    scene = cv2.resize(painters[kind](rng), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scene, np.float32)


def _enlarge(pixels: Pixels) -> Pixels:
    enlarged = cv2.resize(pixels, _SMALL[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _colour(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Pixels:
    return np.asarray(random_colour(rng, saturation, value), np.float32)


def _blotches(rng: np.random.Generator, colour: Pixels, rows: int, spread: float) -> Pixels:
    """Return large soft patches around `colour`."""
    light = rng.normal(0, spread, (rows, rows, 1)) + rng.normal(0, 0.3 * spread, (rows, rows, 3))
    return _enlarge((colour * np.exp(light)).astype(np.float32))


def _coloured(colour: Pixels, light: Pixels) -> Pixels:
    """Return `colour` under H x W `light`; 1 leaves it unchanged."""
    return np.asarray(cv2.merge([light * channel for channel in colour]), np.float32)


def _gradient(rng: np.random.Generator) -> Pixels:
    first, second = _colour(rng, (0, 0.45), (0.25, 0.92)), _colour(rng, (0, 0.45), (0.1, 0.9))
    corners = rng.random((2, 2, 1)).astype(np.float32)
    return _enlarge(first + (second - first) * corners)


def _wall(rng: np.random.Generator) -> Pixels:
    wall = _blotches(rng, _colour(rng, (0.02, 0.4), (0.3, 0.92)), 3, 0.16)
    plaster = 1 + 0.03 * clouds(rng, _SMALL) + 0.015 * speckle(rng, _SMALL)
    return np.asarray(wall * cv2.merge((plaster, plaster, plaster)), np.float32)


def _bokeh(rng: np.random.Generator) -> Pixels:
    base = _blotches(rng, _colour(rng, (0.2, 0.7), (0.1, 0.45)), 5, 0.35)
    scene = Canvas(base, scale=_SCALE)
    glow = _colour(rng, (0.2, 0.7), (0.85, 1))
    for _ in range(4):
        centres, radii = rng.uniform((0, 0), (WIDTH, HEIGHT), (3, 2)), rng.uniform(5, 15, 3)
        discs = [ellipse(at, radius, radius) for at, radius in zip(centres, radii, strict=True)]
        tint = np.minimum(glow * rng.uniform(0.7, 1.1, 3), 255)
        scene.fill(discs, tint, alpha=rng.uniform(0.12, 0.5), blur=1.2)
    return scene.pixels


def _backdrop(rng: np.random.Generator) -> Pixels:
    """Return a press wall with rows of marks."""
    base = _colour(rng, (0, 0.7), (0.2, 0.97))
    bright = base.mean() > 128
    mark = _colour(rng, (0.2, 0.9), (0.2, 0.9)) if bright else np.full(3, 236, np.float32)
    scene = Canvas(_blotches(rng, base, 2, 0.08), scale=_SCALE)
    step, start = rng.uniform((42, 30), (64, 46)), rng.uniform(0, 40, 2)
    grid = [(row, col) for row in range(-1, 8) for col in range(-1, 5)]
    marks = [(start + ((col + 0.5 * (row % 2)), row) * step, (row + col) % 2) for row, col in grid]
    only_rings = rng.random() < 0.3
    rings = np.array([at for at, is_bar in marks if only_rings or not is_bar])
    bar = np.array([(-13, -3.5), (13, -3.5), (13, 3.5), (-13, 3.5)])
    bars = [] if only_rings else [at + bar for at, is_bar in marks if is_bar]
    soft = rng.uniform(0.6, 1.6)
    scene.fill([*bars, *ellipse(rings, 8, 8)], mark, alpha=0.75, blur=soft)
    scene.fill(ellipse(rings, 4.5, 4.5), base, alpha=0.85, blur=soft)
    return scene.pixels


def _foliage(rng: np.random.Generator) -> Pixels:
    dark = rng.uniform((20, 50, 20), (60, 90, 50)).astype(np.float32)
    light = rng.uniform((130, 160, 70), (200, 210, 130)).astype(np.float32)
    leaves = _enlarge(rng.standard_normal((22, 18), np.float32)) + 0.6 * clouds(rng, _SMALL)
    sky = 1.1 - np.linspace(0, rng.uniform(1.2, 3), _SMALL[0], dtype=np.float32)
    share = np.minimum(1 / (1 + np.exp(-1.1 * leaves)) + 0.5 * np.maximum(sky, 0)[:, None], 1)
    return dark + _coloured(light - dark, share)


def _window(rng: np.random.Generator) -> Pixels:
    """Return upright edges of a room: doors, shelves, curtains."""
    num, base = int(rng.integers(4, 9)), _colour(rng, (0.05, 0.45), (0.25, 0.8))
    bands = base * np.exp(rng.normal(0, 0.32, (num, 1))) + rng.normal(0, 8, (num, 3))
    edges = np.sort(rng.uniform(0, _SMALL[1], num - 1))
    row = bands[np.searchsorted(edges, np.arange(_SMALL[1]))].astype(np.float32)
    soft = smooth(row[None], rng.uniform(0.5, 1.6))
    scene = Canvas(np.repeat(soft, _SMALL[0], axis=0), scale=_SCALE)
    scene.pixels *= np.exp(np.linspace(0, rng.normal(0, 0.4), _SMALL[0]))[:, None, None]
    if rng.random() < 0.5:
        y = rng.uniform(30, 190)
        shelf = np.array([(0, y), (WIDTH, y), (WIDTH, y + 6), (0, y + 6)])
        scene.fill(shelf, base * 0.5, alpha=0.8, blur=1.5)
    return scene.pixels


def _bricks(rng: np.random.Generator) -> Pixels:
    base = rng.uniform((110, 70, 50), (200, 120, 100)).astype(np.float32)
    if rng.random() < 0.4:
        base = np.full(3, rng.uniform(120, 220), np.float32)
    height, width = rng.uniform((5.5, 14), (8, 20))
    y = np.arange(_SMALL[0]) / height + rng.random()
    row = np.floor(y).astype(int)
    x = np.arange(_SMALL[1]) / width + 0.5 * (row % 2)[:, None] + rng.random()
    tone = rng.normal(0, 0.1, (32, 16)).astype(np.float32)
    tones = tone[row[:, None] % 32, np.floor(x).astype(int) % 16]
    joint = np.minimum(
        (0.5 - np.abs(y % 1 - 0.5))[:, None] * height, (0.5 - np.abs(x % 1 - 0.5)) * width
    )
    mortar = np.clip(0.7 + 0.4 * joint, 0.7, 1).astype(np.float32)
    return _coloured(base, np.exp(tones + 0.05 * clouds(rng, _SMALL)) * mortar)
