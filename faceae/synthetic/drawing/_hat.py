"""Draws hats."""

import cv2
import numpy as np

from ..canvas import Canvas, Points, curve, moved, speckle
from ..face import Face, Light
from ..traits import PLAIN_LIGHT, shade_ramp, through_ramp

_SHADOW_REACH = {"beanie": 3.0, "cap": 9.0, "fedora": 7.0}
"""Length of a hat's shadow on the forehead, head units."""


def draw_hat(canvas: Canvas, face: Face, light: Light, rng: np.random.Generator) -> None:
    """Paint a cap, a beanie or a fedora, and its shadow on the forehead."""
    kind = face.picture.outfit.hat
    if kind == "none":
        return
    band = [_edge(face, -32, 0, -2), _edge(face, -26 + _SHADOW_REACH[kind], 3, -2)[::-1]]
    canvas.fill(np.concatenate(band), (40, 22, 18), alpha=0.45, blur=3.0)
    hat = _Felt(canvas, face, light, rng)
    {"cap": _cap, "beanie": _beanie, "fedora": _fedora}[kind](hat)


class _Felt:
    """Paints the shapes of one hat."""

    def __init__(self, canvas: Canvas, face: Face, light: Light, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self.face = face
        self.colour = np.asarray(face.picture.outfit.hat_colour)
        self._x_light = light.direction[0]
        self._grain = speckle(rng)

    def round(self, shape: Points, brightness: float = 1.0, grain: float = 0.03) -> None:
        """Fill a shape, shaded as if its sides bent back."""
        found = self.canvas.cover(shape, blur=0.5)
        if found is None:
            return
        window, mask = found
        across = np.linspace(-1, 1, mask.shape[1], dtype=np.float32)
        down = np.linspace(0.16, -0.14, mask.shape[0], dtype=np.float32)
        lit = 1.02 + 0.25 * self._x_light * across - 0.32 * across**2 + down[:, None]
        levels = PLAIN_LIGHT * brightness * (lit + grain * self._grain[window])
        part = self.canvas.pixels[window]
        cloth = through_ramp(np.asarray(levels, np.float32), shade_ramp(self.colour))
        part[...] = cv2.blendLinear(cloth, part, mask, 1 - mask)


def _dome(face: Face, rim_y: float, top: float, wide: float) -> Points:
    """Return a hat's crown, from the left of its rim over the top to the right, pixels."""
    w = face.half_width + wide
    half = [(0, top), (0.42 * w, top + 2), (0.82 * w, top + 16), (w - 0.5, -34), (w, rim_y)]
    return curve(face.flat([(-x, y) for x, y in half[:0:-1]] + half))


def _edge(face: Face, y: float, sag: float, wide: float = 4.0) -> Points:
    """Return a line around the forehead, from the right to the left, pixels."""
    w = face.half_width + wide
    half = [(0.0, y + sag, 40.0), (0.7 * w, y + 0.75 * sag, 26.0), (w, y, 0.0)]
    return curve(face.project(half[::-1] + [(-x, py, z) for x, py, z in half[1:]]))


def _beanie(hat: _Felt) -> None:
    face = hat.face
    low, high = _edge(face, -18, -6), _edge(face, -36, -8)
    hat.round(np.concatenate([_dome(face, -18, -82, 4), low]), grain=0.06)
    hat.round(np.concatenate([low, high[::-1]]), 1.12, grain=0.07)
    hat.canvas.stroke(high, hat.colour * 0.4, 1.4, alpha=0.5, blur=0.6)
    ribs = np.stack([low, high], axis=1)[1:-1]
    hat.canvas.stroke(ribs, hat.colour * 0.5, 1.1, alpha=0.45, blur=0.5)


def _cap(hat: _Felt) -> None:
    face, w = hat.face, hat.face.half_width
    hat.round(np.concatenate([_dome(face, -24, -80, 3), _edge(face, -24, -12)]))
    seam = face.flat([(0, -80), (0, -58)], z=20)
    hat.canvas.stroke(seam, hat.colour * 0.6, 0.9, alpha=0.5, blur=0.5)
    upper = [(0.95 * w, -26, 16), (0.6 * w, -36, 38), (0, -39, 46)]
    lower = [(0.72 * w, -22, 52), (0, -20, 66), (-0.72 * w, -22, 52)]
    mirrored = [(-x, y, z) for x, y, z in upper[:2]]
    visor = curve(face.project([*mirrored, *upper[::-1], *lower]), closed=True)
    hat.canvas.fill(moved(visor, 0, 1.5), hat.colour * 0.2, alpha=0.6, blur=1.2)
    hat.round(visor, 0.75)


def _fedora(hat: _Felt) -> None:
    face, w = hat.face, hat.face.half_width
    outline = [(0.9 * w, -62), (0.6 * w, -84), (-0.1 * w, -80), (-0.6 * w, -84), (-0.9 * w, -62)]
    crown = [(0, -30), (w + 1, -34), *outline, (-w - 1, -34)]
    hat.round(curve(face.flat(crown, z=4), closed=True))
    low = [(-w - 1, -35), (0, -31), (w + 1, -35)]
    ribbon = [*low, (w - 1.5, -46), (0, -42), (-w + 1.5, -46)]
    band = curve(face.flat(ribbon, z=5), closed=True)
    hat.canvas.fill(band, hat.colour * 0.35, alpha=0.95, blur=0.5)
    back = [(-1.62 * w, -30, -10), (-0.9 * w, -38, 20), (0, -38, 40), (0.9 * w, -38, 20)]
    front = [(1.62 * w, -30, -10), (0.9 * w, -25, 30), (0, -23, 52), (-0.9 * w, -25, 30)]
    brim = curve(face.project(back + front), closed=True)
    hat.canvas.fill(moved(brim, 0, 2), hat.colour * 0.25, alpha=0.5, blur=1.6)
    hat.round(brim, 1.08)
