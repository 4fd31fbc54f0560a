"""Draws glasses and earrings."""

import numpy as np

from ..canvas import Canvas, Points, curve, ellipse, moved
from ..face import SIDES, Face
from ..traits import Colour, Glasses
from ._clothes import random_metal
from ._head import ear_lobes

_FRAMES: tuple[Colour, ...] = (
    (26, 22, 22),
    (84, 52, 34),
    (120, 116, 112),
    (54, 30, 60),
    (168, 136, 84),
)
_WIDTHS: dict[Glasses, float] = {"rimless": 0.8, "round": 1.5, "square": 1.9, "sun": 1.9}
"""Thickness of the frame, pixels."""


def draw_glasses(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    """Paint glasses with their reflections."""
    kind = face.picture.outfit.glasses
    if kind == "none":
        return
    frame, width = np.asarray(_FRAMES[int(rng.integers(len(_FRAMES)))]), _WIDTHS[kind]
    rim = _rim(face, kind)
    rims = np.stack([_before_eyes(face, rim * (side, 1)) for side in SIDES])
    _lenses(canvas, rims, dark=kind == "sun")
    closed = _closed(rims)
    canvas.stroke(moved(closed, 0, 1.6), (60, 34, 26), width, alpha=0.25, blur=1.0)
    canvas.stroke(closed, frame, width, alpha=0.95, blur=0.3)
    bridge_x = face.eye_x - 14.2
    bridge = _before_eyes(face, np.array([(-bridge_x, -2.4), (0, -4.4), (bridge_x, -2.4)]))
    canvas.stroke(curve(bridge), frame, width + 0.2, alpha=0.95, blur=0.3)
    canvas.stroke(_arms(face), frame, width + 0.2, alpha=0.95, blur=0.3)


def _before_eyes(face: Face, points: Points) -> Points:
    """Return the pixel positions of points of stiff, slightly bent glasses, N x 2 head units."""
    z = 45 - 0.007 * points[:, 0] ** 2
    return face.project(np.concatenate([points, z[:, None]], axis=1))


def _closed(outlines: Points) -> Points:
    """Return `outlines`, ... x N x 2, closed: their first point is repeated at the end."""
    return np.concatenate([outlines, outlines[..., :2, :]], axis=-2)


def _arms(face: Face) -> Points:
    hinges = _before_eyes(face, np.array([(side * (face.eye_x + 14.5), -5.0) for side in SIDES]))
    ends = face.flat([(side * (face.half_width + 1), -5.0) for side in SIDES])
    return np.stack([hinges, ends], axis=1)


def _rim(face: Face, kind: Glasses) -> Points:
    """Return the right rim, head units."""
    if kind == "round":
        outline = ellipse((0, 0), 13.2, 12.6, num=28)
    elif kind == "sun":
        corners = [(-13.0, -9), (2, -10.5), (15, -9), (14, 3), (5, 12), (-6, 11), (-13, 1)]
        outline = curve(corners, closed=True)
    else:
        corners = [(-13.2, -8), (0, -9.8), (14, -8.8), (14, 3), (8, 9), (-6, 9), (-13, 3)]
        outline = curve(corners, closed=True)
    return moved(outline, face.eye_x + 0.6, 1.2)


def _lenses(canvas: Canvas, rims: Points, *, dark: bool) -> None:
    tint, alpha = ((24, 20, 22), 0.93) if dark else ((226, 236, 244), 0.07)
    canvas.fill(rims, tint, alpha=alpha, blur=0.4)
    slant = np.array([(-0.1, -0.6), (0.14, -0.6), (-0.22, 0.6), (-0.46, 0.6)])
    glints = rims.mean(axis=1, keepdims=True) + slant * np.ptp(rims, axis=1, keepdims=True)
    inside = canvas.mask(rims, blur=0.4)
    canvas.fill(glints, (244, 248, 255), alpha=0.18, blur=1.0, clip=inside)


def draw_earrings(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    """Paint a pair of rings, drops or studs."""
    metal, lobes = random_metal(rng), ear_lobes(face)
    kind = rng.choice(["ring", "drop", "stud"])
    if kind == "ring":
        rings = ellipse(moved(lobes, 0, 6.5), 4.6, 6.2, num=28)
        canvas.stroke(_closed(rings), metal * 0.85, 1.7, blur=0.35)
        canvas.stroke(rings[:, 14:24], (255, 246, 220), 0.7, alpha=0.8, blur=0.3)
        return
    ends = lobes
    if kind == "drop":
        ends = moved(lobes, 0, 9.0)
        canvas.stroke(np.stack([lobes, ends], axis=1), metal, 1.0, blur=0.3)
    canvas.fill(ellipse(ends, 2.8, 2.8), metal, blur=0.4)
    canvas.fill(ellipse(ends - 0.9, 1.0, 1.0), (255, 252, 240), blur=0.35)
