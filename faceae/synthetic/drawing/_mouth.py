"""Draws lips, teeth and the line between the lips."""

from dataclasses import dataclass

import numpy as np

from ..canvas import Canvas, Pixels, Points, curve, ellipse, moved, taper
from ..face import Face
from ..traits import skin_colour

_ZOOM = 2
"""Canvas pixels per picture pixel while the mouth is drawn."""


@dataclass(frozen=True)
class _Mouth:
    """Curves of a mouth from the picture's left to its right, pixels."""

    top: Points
    upper_line: Points
    """The upper lip's lower edge."""
    lower_line: Points
    """The lower lip's upper edge."""
    bottom: Points

    @property
    def opening(self) -> Points:
        return np.concatenate([self.upper_line, self.lower_line[::-1]])


def mouth_corners(face: Face) -> Points:
    """Return the two corners of the mouth, 2 x 2, pixels."""
    x, y = face.mouth_half_width, _corner_y(face)
    return face.place([(-x, y), (x, y)])


def draw_mouth(canvas: Canvas, face: Face) -> None:
    """Paint the mouth."""
    mouth = _plan(face)
    outline = np.concatenate([mouth.top, mouth.bottom])
    with canvas.zoom(outline, _ZOOM, margin=5) as zoomed:
        if face.picture.expression.mouth_open > 0:
            _inside(zoomed, face, mouth)
        _lips(zoomed, face, mouth)
        _lines(zoomed, face, mouth)


def _corner_y(face: Face) -> float:
    return face.mouth_y - 3.1 * face.picture.expression.smile


def _plan(face: Face) -> _Mouth:
    traits, x, corner = face.identity, face.mouth_half_width, _corner_y(face)
    smile = max(face.picture.expression.smile, 0)
    middle = face.mouth_y + 1.4 * smile
    upper = 3.6 + 1.9 * traits.shape.lips - 0.7 * smile
    lower = 4.9 + 2.4 * traits.shape.lips - 0.6 * smile
    up, down = 1.75 * face.picture.expression.mouth_open, 5.25 * face.picture.expression.mouth_open
    side = (middle + corner) / 2

    def line(*right: tuple[float, float]) -> Points:
        """Close the right half, drawn outwards from the middle, at the corner and mirror it."""
        half = [*right, (x, corner)]
        left = [(-px, py) for px, py in half[:0:-1]]
        return curve(face.place(left + half, 2.0), steps=5)

    top = middle - upper - up
    return _Mouth(
        top=line((0, top + 0.7), (0.2 * x, top - 0.3), (0.6 * x, side - 0.62 * upper - 0.5 * up)),
        upper_line=line(
            (0, middle - up + 0.5), (0.25 * x, middle - up - 0.1), (0.65 * x, side - 0.5 * up)
        ),
        lower_line=line(
            (0, middle + down + 0.5), (0.25 * x, middle + down + 0.1), (0.65 * x, side + 0.6 * down)
        ),
        bottom=line(
            (0, middle + lower + down),
            (0.35 * x, middle + 0.92 * lower + down),
            (0.72 * x, 0.45 * middle + 0.55 * corner + 0.55 * lower + 0.6 * down),
        ),
    )


def lip_colour(face: Face) -> Points:
    """Return the colour of the lips, 3 values in [0, 255]."""
    picture, skin = face.picture, skin_colour(face.identity)
    bare = skin * np.array((0.86, 0.64, 0.64)) + np.array((8, -2, 2))
    if face.identity.male:
        bare = 0.55 * bare + 0.45 * skin * (0.93, 0.83, 0.82)
    paint = np.asarray(picture.makeup.lipstick_colour) * (1 - 0.25 * face.identity.skin)
    return np.asarray(bare + (paint - bare) * picture.makeup.lipstick)


def _lips(canvas: Canvas, face: Face, mouth: _Mouth) -> None:
    colour, lipstick = lip_colour(face), face.picture.makeup.lipstick
    strength, soft = 0.72 + 0.25 * lipstick, 0.7 - 0.3 * lipstick
    upper = np.concatenate([mouth.top, mouth.upper_line[::-1]])
    lower = np.concatenate([mouth.lower_line, mouth.bottom[::-1]])
    canvas.fill(upper, colour * 0.84, alpha=strength, blur=soft)
    canvas.fill(lower, colour, alpha=strength, blur=soft)
    middle = len(mouth.bottom) // 2
    centre = (mouth.lower_line[middle] + mouth.bottom[middle]) / 2
    towards_light = 2.5 * float(np.sign(face.picture.light.azimuth))
    shine = ellipse(moved(centre, towards_light, -0.5), 4.2, 1.1)
    bright = np.minimum(colour * 1.25 + 40, 255)
    canvas.fill(shine, bright, alpha=0.25 + 0.3 * lipstick, blur=0.9)


def _lines(canvas: Canvas, face: Face, mouth: _Mouth) -> None:
    """Paint the line between the lips, its corners, and the shadow of the lower lip."""
    dark, num = lip_colour(face) * 0.33, len(mouth.upper_line)
    under = moved(mouth.bottom, 0, 1.8 * face.scale)[num // 4 : -num // 4]
    canvas.stroke(under, skin_colour(face.identity) * 0.5, 1.6, alpha=0.28, blur=1.1)
    if face.picture.expression.mouth_open == 0:
        canvas.stroke(mouth.upper_line, dark, taper(num, 0.9, 1.1, 0.9), alpha=0.85, blur=0.3)
    else:
        both = np.stack([mouth.upper_line, mouth.lower_line])
        canvas.stroke(both, dark, 0.55, alpha=0.45, blur=0.3)
    canvas.fill(ellipse(mouth_corners(face), 1.3, 1.0), dark, alpha=0.55, blur=0.6)


def _inside(canvas: Canvas, face: Face, mouth: _Mouth) -> None:
    """Paint teeth and tongue."""
    inside = canvas.mask(mouth.opening, blur=0.2)
    canvas.fill(mouth.opening, (66, 22, 24), blur=0.3)
    gap, smile = face.picture.expression.mouth_open, max(face.picture.expression.smile, 0)
    share = min(0.95, 0.32 + 0.5 * smile / (0.4 + gap))
    drop = (mouth.lower_line - mouth.upper_line) * share
    teeth = np.concatenate([mouth.upper_line - (0, 0.5), (mouth.upper_line + drop)[::-1]])
    in_teeth = canvas.mask(teeth, blur=0.3) * inside
    canvas.fill(teeth, (240, 234, 222), alpha=0.97, blur=0.3, clip=inside)
    _gaps(canvas, face, mouth, drop, in_teeth)
    if gap > 0.5 and smile < 0.5:
        middle = mouth.lower_line[len(mouth.lower_line) // 2]
        tongue = ellipse(moved(middle, 0, 0.6), 6.5, 2.2)
        canvas.fill(tongue, (176, 84, 84), alpha=0.8, blur=0.8, clip=inside)
    shadow = moved(mouth.upper_line, 0, 0.5)
    canvas.stroke(shadow, (40, 14, 14), 1.3, alpha=0.4, blur=0.5, clip=inside)


def _gaps(canvas: Canvas, face: Face, mouth: _Mouth, drop: Points, in_teeth: Pixels) -> None:
    """Paint faint lines between the teeth and shade towards the corners."""
    num = len(mouth.upper_line)
    at = (num - 1) / 2 + np.arange(-3, 4) * num * 0.105
    index = np.arange(num)
    x, y = (np.interp(at, index, mouth.upper_line[:, axis]) for axis in (0, 1))
    low = y + np.interp(at, index, drop[:, 1])
    lines = np.stack([np.stack([x, y], axis=1), np.stack([x, low], axis=1)], axis=1)
    canvas.stroke(lines, (150, 132, 122), 0.45, alpha=0.4, blur=0.25, clip=in_teeth)
    corners = ellipse(mouth_corners(face), 5.5, 4.5)
    canvas.fill(corners, (60, 24, 24), alpha=0.6, blur=2.0, clip=in_teeth)
