"""Draws clothes, necktie and necklace."""

import cv2
import numpy as np

from ..canvas import WIDTH, Canvas, Points, clouds, curve, ellipse, moved
from ..face import SIDES, Face, Light
from ..traits import PLAIN_LIGHT, random_colour, shade_ramp, through_ramp

_WHITE = np.array([236.0, 236.0, 238.0])
_NECKLINES = {"crew": (84.0, 9.0), "vneck": (84.0, 30.0), "turtleneck": (72.0, 5.0)}
"""Height and depth of the neck opening, head units."""
_SCOOP = (92.0, 22.0)


def draw_clothes(canvas: Canvas, face: Face, light: Light, rng: np.random.Generator) -> None:
    """Paint the clothes on the shoulders."""
    kind = face.picture.outfit.clothes
    colour = np.asarray(face.picture.outfit.colour)
    if kind == "suit" or kind == "shirt":
        shirt = _WHITE if kind == "suit" else colour
        low = 10.0 if kind == "suit" else 0.0  # under the jacket
        _cloth(canvas, face, light, shirt, [_torso(face, _neckline(face, 80.0, 12.0), low)], rng)
        _collar(canvas, face, shirt)
        if face.picture.outfit.necktie:
            _necktie(canvas, face, rng)
        if kind == "suit":
            _jacket(canvas, face, light, colour, rng)
    elif kind == "scoop":
        neckline = _neckline(face, *_SCOOP, wide=True)
        _cloth(canvas, face, light, colour, [_torso(face, neckline)], rng)
    else:
        neckline = _neckline(face, *_NECKLINES[kind], pointed=kind == "vneck")
        _cloth(canvas, face, light, colour, [_torso(face, neckline)], rng)
        canvas.stroke(moved(neckline, 0, 1.4), colour * 0.72, 2.4, alpha=0.6, blur=0.5)
        canvas.stroke(moved(neckline, 0, 3.2), colour * 1.12, 1.0, alpha=0.4, blur=0.5)


def _neckline(
    face: Face, top: float, drop: float, *, pointed: bool = False, wide: bool = False
) -> Points:
    """Return the clothes' edge at the neck, from the picture's left to its right, pixels."""
    x, low = face.neck_half_width * (1.75 if wide else 1.04), top + drop
    if pointed:
        half = [(0.0, low + 1), (0.06 * x, low), (0.55 * x, top + 0.55 * drop), (x, top)]
    else:
        bend = (0.42 * x, low - 0.06 * drop)
        half = [(0.0, low), bend, (0.82 * x, top + 0.6 * drop), (x, top)]
    return face.body(curve([(-px, py) for px, py in half[:0:-1]] + half))


def _torso(face: Face, neckline: Points, low: float = 0.0) -> Points:
    """Return the outline of the shoulders, `low` head units lower, below a neckline, pixels."""
    wide = 1.0 if face.identity.male else 0.9
    beside = [(62 * wide, 97.0 + low), (80 * wide, 106.0 + low), (96.0, 130.0), (96.0, 180.0)]
    left = face.body([(-x, y) for x, y in beside[::-1]])
    right = face.body(beside)
    reach = np.array([0.35, 0.05 + 0.05 * low])
    to_left = neckline[0] + (left[-1] - neckline[0]) * reach
    to_right = neckline[-1] + (right[0] - neckline[-1]) * reach
    slope_left, slope_right = (
        curve([*left, to_left, neckline[0]]),
        curve([neckline[-1], to_right, *right]),
    )
    return np.concatenate([slope_left, neckline, slope_right])


def _cloth(
    canvas: Canvas,
    face: Face,
    light: Light,
    colour: Points,
    shapes: list[Points],
    rng: np.random.Generator,
) -> None:
    """Fill `shapes` with folded, lit cloth."""
    found = canvas.cover(shapes, blur=0.5)
    if found is None:
        return
    window, mask = found
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[window[1]]
    lit = 0.9 + 0.16 * light.direction[0] * across - 0.1 * across**2
    folds = 0.07 * clouds(rng)[window] + lit.astype(np.float32)
    part = canvas.pixels[window]
    part[...] = cv2.blendLinear(
        through_ramp(PLAIN_LIGHT * folds, shade_ramp(colour)), part, mask, 1 - mask
    )


def _collar(canvas: Canvas, face: Face, colour: Points) -> None:
    x = face.neck_half_width
    wing = np.array(
        [
            (1.02 * x, 74),
            (1.12 * x, 84),
            (0.72 * x, 106),
            (0.05 * x, 93),
            (0.5 * x, 90),
            (0.94 * x, 78),
        ]
    )
    wings = np.stack([face.body(wing * (side, 1)) for side in SIDES])
    canvas.fill(moved(wings, 0, 1.8), colour * 0.55, alpha=0.5, blur=1.4)
    canvas.fill(wings, np.minimum(colour * 1.05, 250), blur=0.4)


def _jacket(
    canvas: Canvas, face: Face, light: Light, colour: Points, rng: np.random.Generator
) -> None:
    x = face.neck_half_width
    outside = [(1.06 * x, 80), (1.5 * x, 88), (60, 95), (82, 105), (96, 130), (96, 180)]
    half = np.array([*outside, (0, 180), (0.1 * x, 150), (0.62 * x, 106)])
    _cloth(canvas, face, light, colour, [face.body(half * (side, 1)) for side in SIDES], rng)
    lapel = np.array(
        [(1.06 * x, 80), (1.42 * x, 92), (1.3 * x, 112), (0.25 * x, 140), (0.62 * x, 106)]
    )
    lapels = np.stack([face.body(lapel * (side, 1)) for side in SIDES])
    canvas.fill(moved(lapels, 0, 1.2), colour * 0.4, alpha=0.5, blur=1.2)
    canvas.fill(lapels, np.minimum(colour * 1.22 + 6, 255), blur=0.4)


def _necktie(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    colour = np.asarray(random_colour(rng, (0.4, 0.9), (0.2, 0.75)))
    knot, blade = (
        [(-6, 91), (6, 91), (4, 103), (-4, 103)],
        [(-4, 101), (4, 101), (9, 150), (-9, 150)],
    )
    shapes = np.stack([face.body(knot), face.body(blade)])
    inside = canvas.mask(shapes, blur=0.3)
    canvas.fill(moved(shapes, 0.8, 0.8), colour * 0.3, alpha=0.5, blur=1.0)
    canvas.fill(shapes, colour, blur=0.4)
    stripes = np.stack([face.body([(-10, y + 5), (10, y - 3)]) for y in range(94, 122, 7)])
    bright = np.minimum(colour * 1.5 + 30, 255)
    canvas.stroke(stripes, bright, 1.8, alpha=0.6, blur=0.4, clip=inside)
    canvas.stroke(face.body([(-4, 103), (4, 103)]), colour * 0.35, 1.2, alpha=0.7, blur=0.5)


def draw_necklace(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    """Paint a chain with a pendant, or pearls."""
    x = face.neck_half_width
    half = [(0, 97.5), (0.62 * x, 92), (1.0 * x, 80)]
    path = face.body(curve([(-px, py) for px, py in half[:0:-1]] + half, steps=8))
    canvas.stroke(moved(path, 0, 1.5), (70, 40, 30), 1.8, alpha=0.35, blur=1.0)
    if rng.random() < 0.5:
        pearls = path[::2]
        canvas.fill(ellipse(pearls, 2.1, 2.1), (232, 226, 216), blur=0.3)
        canvas.fill(ellipse(pearls - 0.7, 0.8, 0.8), (255, 255, 252), blur=0.3)
        return
    metal = random_metal(rng)
    canvas.stroke(path, metal, 1.5, blur=0.35)
    canvas.stroke(path - (0, 0.4), (255, 248, 226), 0.5, alpha=0.7, blur=0.3)
    pendant = moved(path[len(path) // 2], 0, 3.2)
    canvas.fill(ellipse(pendant, 2.3, 2.9), metal * 0.9, blur=0.4)
    canvas.fill(ellipse(pendant - 0.7, 0.8, 0.9), (255, 250, 236), blur=0.3)


def random_metal(rng: np.random.Generator) -> Points:
    """Return the colour of gold or silver."""
    return np.array([224.0, 186.0, 98.0] if rng.random() < 0.6 else [208.0, 210.0, 217.0])
