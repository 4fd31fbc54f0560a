"""Draws beard, moustache and sideburns."""

import cv2
import numpy as np

from ..canvas import Canvas, Pixels, Points, blend, curve, smooth
from ..face import Face
from ..traits import hair_colour, skin_colour


def draw_beard(canvas: Canvas, face: Face, flecks: Pixels, face_mask: Pixels) -> None:
    """Paint beard, moustache and sideburns; `flecks` (H x W noise) adds single hairs."""
    kind = face.picture.beard
    shapes = {
        "none": [],
        "shadow": [],
        "mustache": [_mustache(face)],
        "goatee": [_goatee(face), _mustache(face)],
        "full": [_full(face), _mustache(face)],
    }[kind]
    if face.has_sideburns:
        shapes += _sideburns(face)
    if kind == "shadow":
        _stubble(canvas, face, flecks, face_mask)
    if shapes:
        _grow(canvas, face, shapes, flecks, face_mask)


def _stubble(canvas: Canvas, face: Face, flecks: Pixels, face_mask: Pixels) -> None:
    found = canvas.cover(_full(face), blur=3.0)
    assert found is not None, "the jaw lies in the picture"
    window, mask = found
    mask *= face_mask[window] * np.clip(0.45 + 0.08 * flecks[window], 0, 1)
    bluish = 0.5 * skin_colour(face.identity) + np.array((2, 8, 14))
    blend(canvas.pixels[window], bluish, mask)


def _grow(
    canvas: Canvas, face: Face, shapes: list[Points], flecks: Pixels, face_mask: Pixels
) -> None:
    """Paint thick hair that reaches a little over the jaw's edge."""
    found = canvas.cover(shapes, blur=1.4)
    if found is None:
        return
    window, mask = found
    hairs = flecks[window]
    mask *= np.minimum(2.5 * smooth(face_mask[window], 2.0), 1)
    frayed = np.clip(1.6 * mask - 0.3 + 0.18 * hairs, 0, 1) * np.minimum(4 * mask, 1)
    shade = np.clip(1 + 0.12 * hairs, 0.5, 1.6)
    colour = cv2.merge([shade * channel for channel in _beard_colour(face)])
    blend(canvas.pixels[window], colour, np.asarray(0.9 * frayed, np.float32))


def _beard_colour(face: Face) -> Pixels:
    darker = 0.74 if face.identity.hair.tone == "blond" else 0.9
    return np.asarray(darker * hair_colour(face.identity) + 4, np.float32)


def _full(face: Face) -> Points:
    """Return the outline down the cheeks and around the chin; the face's edge clips it."""
    width, mouth, chin, corner = face.half_width, face.mouth_y, face.chin, face.mouth_half_width
    cheek = [
        (0.0, mouth - 8.0),
        (0.8 * corner, mouth - 7.0),
        (corner + 6.5, mouth - 5.0),
        (0.70 * width, mouth - 12),
        (0.84 * width, 10.0),
        (0.90 * width, -4.0),
        (0.985 * width, -6.0),
    ]
    jaw = [
        (1.1 * width, 16.0, 6.0),
        (1.06 * width, 31.0, 8.0),
        (0.92 * width, 0.76 * chin, 12.0),
        (0.6 * width, 1.0 * chin, 20.0),
        (0.26 * width, 1.05 * chin, 27.0),
        (0.0, 1.07 * chin, 28.0),
    ]
    inner = face.place([(-x, y) for x, y in cheek[:0:-1]] + cheek)
    outer = face.project(jaw + [(-x, y, z) for x, y, z in jaw[-2::-1]])
    return np.concatenate([curve(inner), curve(outer)])


def _goatee(face: Face) -> Points:
    mouth, chin, x = face.mouth_y, face.chin, face.mouth_half_width
    half = [
        (0.0, mouth + 7.0),
        (0.62 * x, mouth + 7.0),
        (x + 0.5, mouth + 1.0),
        (x + 3.0, mouth + 6.0),
        (0.92 * x, 0.93 * chin),
        (0.5 * x, 1.05 * chin),
        (0.0, 1.08 * chin),
    ]
    return curve(face.place(half + [(-px, py) for px, py in half[-2:0:-1]]), closed=True)


def _mustache(face: Face) -> Points:
    top, mouth, x = face.nose_y + 7.5, face.mouth_y, face.mouth_half_width
    lift = 2.6 * max(face.picture.expression.smile, 0)
    upper = [
        (0.0, top + 1.0),
        (3.0, top + 0.2),
        (0.62 * x, mouth - 6.0),
        (x + 2.5, mouth + 2.5 - lift),
    ]
    lower = [(0.0, mouth - 2.4), (3.0, mouth - 1.8), (0.7 * x, mouth - 1.5 - 0.5 * lift)]
    above = face.place([(-px, py) for px, py in upper[:0:-1]] + upper, 3)
    below = face.place(lower[::-1] + [(-px, py) for px, py in lower[1:]], 3)
    return np.concatenate([curve(above), curve(below)])


def _sideburns(face: Face) -> list[Points]:
    width = face.half_width
    strip = [
        (0.86 * width, -16.0),
        (0.99 * width, -16.0),
        (1.0 * width, 10.0),
        (0.95 * width, 22.0),
        (0.85 * width, 19.0),
        (0.87 * width, 2.0),
    ]
    return list(curve(face.mirrored(np.array(strip)), closed=True))
