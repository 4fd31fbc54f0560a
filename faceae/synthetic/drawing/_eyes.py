"""Draws eyes with lids and lashes, and eyebrows."""

from dataclasses import dataclass

import numpy as np

from ..canvas import Canvas, Pixels, Points, blend, curve, ellipse, moved, ribbon, taper
from ..face import SIDES, Face
from ..traits import hair_colour, skin_colour

_ZOOM = 2
"""Canvas pixels per picture pixel while the eyes are drawn."""
_LID_STEPS = 5


@dataclass(frozen=True)
class _Eyes:
    """Curves of both eyes, the one on the picture's left first, from the nose outwards; pixels."""

    upper: Points
    """2 x N x 2."""
    lower: Points
    """2 x N x 2."""
    irises: Points
    """2 x 2."""

    @property
    def openings(self) -> Points:
        return np.concatenate([self.upper, self.lower[:, -2:0:-1]], axis=1)


def draw_eyes(canvas: Canvas, face: Face) -> None:
    """Paint both eyes."""
    eyes = _plan(face)
    _eyeshadow(canvas, face, eyes)
    with canvas.zoom(np.concatenate(eyes.openings), _ZOOM, margin=6) as zoomed:
        _eyeballs(zoomed, face, eyes)
        _lids(zoomed, face, eyes)
        if not face.identity.male:
            _lashes(zoomed, face, eyes)


def eye_centres(face: Face) -> Points:
    """Return the middles of the two pupils, 2 x 2, pixels."""
    return _plan(face).irises


def _plan(face: Face) -> _Eyes:
    traits, picture = face.identity, face.picture
    smile = max(picture.expression.smile, 0.0)
    half = 8.8 + 0.7 * traits.eyes.size
    opening = picture.expression.eye_open * (1 - 0.42 * traits.eyes.narrow) - 0.13 * smile
    up = (4.9 + 0.7 * traits.eyes.size) * opening
    down = (3.1 + 0.2 * traits.eyes.size) * (0.6 + 0.4 * opening) - 0.5 * smile
    slant = 0.7 + 0.9 * traits.eyes.slant
    inner, outer = (-half, 1.1), (half, -slant)
    upper = [
        inner,
        (-0.55 * half, -0.66 * up),
        (0.0, -up - 0.2 * slant),
        (0.58 * half, -0.72 * up - 0.5 * slant),
        outer,
    ]
    lower = [
        inner,
        (-0.45 * half, 0.62 * down + 0.4),
        (0.1 * half, down),
        (0.65 * half, 0.62 * down - 0.4 * slant),
        outer,
    ]
    return _Eyes(upper=_lid(face, upper), lower=_lid(face, lower), irises=_irises(face))


def _lid(face: Face, points: list[tuple[float, float]]) -> Points:
    path = moved(np.array(points), face.eye_x, 0.0)
    return curve(face.mirrored(path, lift=1.0), steps=_LID_STEPS)


def _irises(face: Face) -> Points:
    picture = face.picture
    centres = face.place([(side * face.eye_x, 0.0) for side in SIDES], 1.0)
    # Eyes in a turned head turn back to the camera.
    across = 2.3 * picture.expression.gaze[0] - 0.045 * picture.pose.yaw
    down = -0.5 + 1.0 * picture.expression.gaze[1] - 0.03 * picture.pose.pitch
    return centres + np.array([across, down]) * face.scale


def _eyeballs(canvas: Canvas, face: Face, eyes: _Eyes) -> None:
    openings = eyes.openings
    inside = canvas.mask(openings, blur=0.25)
    white = np.array([238, 232, 228]) * (1 - 0.1 * face.identity.skin)
    canvas.fill(openings, white, blur=0.25)
    corners = eyes.upper[:, 0]
    canvas.fill(ellipse(corners, 2.2, 1.8), (206, 140, 130), alpha=0.8, blur=0.7, clip=inside)
    _iris(canvas, face, eyes, inside)
    canvas.stroke(moved(eyes.upper, 0.0, 0.9), (38, 26, 26), 2.6, alpha=0.5, blur=0.6, clip=inside)
    spark = np.array([1.5 if face.picture.light.azimuth > 0 else -1.5, -1.5]) * face.scale
    canvas.fill(ellipse(eyes.irises + spark, 0.95, 0.95), (255, 255, 255), alpha=0.95, blur=0.2)


def _iris(canvas: Canvas, face: Face, eyes: _Eyes, inside: Pixels) -> None:
    colour, radius = np.array(face.identity.eyes.colour), 4.5 * face.scale
    bright = np.minimum(colour * 1.5 + 16, 255)
    canvas.fill(ellipse(eyes.irises, radius, radius), colour * 0.42, blur=0.3, clip=inside)
    inner = 0.82 * radius
    canvas.fill(ellipse(eyes.irises, inner, inner), colour, blur=0.45, clip=inside)
    glow = ellipse(moved(eyes.irises, 0.0, 0.42 * radius), 0.6 * radius, 0.42 * radius)
    canvas.fill(glow, bright, alpha=0.75, blur=0.6, clip=inside)
    pupil = 0.43 * radius
    canvas.fill(ellipse(eyes.irises, pupil, pupil), (14, 11, 12), blur=0.25, clip=inside)


def _lids(canvas: Canvas, face: Face, eyes: _Eyes) -> None:
    makeup, skin = face.picture.makeup.strength, skin_colour(face.identity)
    line = _lash_colour(face)
    width = 1.15 + 1.0 * makeup + (0 if face.identity.male else 0.35)
    num = eyes.upper.shape[1]
    lower_line = taper(num, 0.3, 0.8, 0.9)
    canvas.stroke(eyes.lower, skin * 0.55, lower_line, alpha=0.65, blur=0.25)
    canvas.stroke(eyes.upper, line, taper(num, 0.5, width, width * 1.1), alpha=0.95, blur=0.22)
    rise = np.stack([np.zeros(num), -taper(num, 0.8, 2.9, 1.8) * face.scale], axis=1)
    canvas.stroke(eyes.upper + rise, skin * 0.5, taper(num, 0.2, 1.0, 0.5), alpha=0.6, blur=0.4)
    if makeup > 0.5:
        canvas.stroke(
            moved(eyes.lower, 0.0, 0.2), line, taper(num, 0.1, 0.6, 1.0), alpha=0.6, blur=0.3
        )


def _lash_colour(face: Face) -> Points:
    return np.array([34.0, 22.0, 20.0]) * (1 - 0.3 * face.picture.makeup.strength)


def _lashes(canvas: Canvas, face: Face, eyes: _Eyes) -> None:
    """Paint a wing at the outer corner and a few single lashes."""
    length = (1.2 + 1.8 * face.picture.makeup.strength) * face.scale
    strokes = []
    for upper in eyes.upper:
        width = np.abs(upper[-1, 0] - upper[0, 0]) / 2
        middle = (upper[0, 0] + upper[-1, 0]) / 2
        for back, reach in ((1, 1.0), (4, 0.9), (7, 0.7), (11, 0.55)):
            root = upper[-back]
            out = (root[0] - middle) / width
            tip = root + np.array([0.75 * out, -0.72]) * length * reach
            bend = (root + tip) / 2 + np.array([0.1 * out, 0.1]) * length
            strokes.append(np.stack([root, bend, tip]))
    canvas.stroke(np.stack(strokes), _lash_colour(face), [0.9, 0.6, 0.15], alpha=0.85, blur=0.15)


def _eyeshadow(canvas: Canvas, face: Face, eyes: _Eyes) -> None:
    strength = face.picture.makeup.strength
    if strength == 0:
        return
    num = eyes.upper.shape[1]
    rise = np.stack([np.zeros(num), -taper(num, 2.0, 5.5, 4.0) * face.scale], axis=1)
    areas = np.concatenate([eyes.upper, (eyes.upper + rise)[:, ::-1]], axis=1)
    canvas.fill(areas, face.picture.makeup.eyeshadow, alpha=0.55 * strength, blur=1.3)


def draw_brows(canvas: Canvas, face: Face, flecks: Pixels, face_mask: Pixels) -> None:
    """Paint both eyebrows; `flecks` (H x W noise) adds single hairs."""
    traits = face.identity
    colour = hair_colour(traits)
    if traits.hair.tone in ("blond", "grey"):
        colour = 0.62 * colour
    colour = np.minimum(colour, 0.72 * skin_colour(traits))
    paths = brow_paths(face)
    along = np.linspace(0, 1, paths.shape[1])
    profile = np.interp(along, [0, 0.15, 0.5, 1], [0.75, 1, 0.9, 0.2])
    widths = profile * (1.9 + 3.7 * traits.eyes.brow_bushy) * face.scale
    found = canvas.cover(ribbon(paths, widths), blur=0.55)
    assert found is not None, "the brows lie in the picture"
    window, mask = found
    mask *= face_mask[window] * np.clip(0.81 + 0.13 * flecks[window], 0, 1)
    blend(canvas.pixels[window], colour, mask)
    if traits.eyes.brow_bushy > 0.6:
        canvas.stroke(paths, colour, 1.35 * widths, alpha=0.4, blur=0.9, clip=face_mask)


def brow_paths(face: Face) -> Points:
    """Return the middle lines of both eyebrows, 2 x N x 2 pixels, in the order of `_Eyes`."""
    traits, picture = face.identity, face.picture
    eye = face.eye_x
    y = (
        -11.5
        - 1.4 * traits.eyes.brow_height
        - 1.5 * picture.expression.brow_raise
        - 0.4 * traits.eyes.size
    )
    arch = 0.3 + 2.9 * traits.eyes.brow_arch
    points = [
        (eye - 11.0, y - 0.1),
        (eye - 4.0, y - 0.9 - 0.5 * arch),
        (eye + 4.5, y - 1.1 - arch),
        (eye + 12.0, y + 1.9),
    ]
    return curve(face.mirrored(np.array(points), lift=3.0))
