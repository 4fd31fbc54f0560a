"""Draws the skin of head, ears, neck and shoulders, shaded as one layer of light."""

import cv2
import numpy as np

from ..canvas import (
    WIDTH,
    Canvas,
    Pixels,
    Points,
    clouds,
    curve,
    ellipse,
    moved,
    ribbon,
    smooth,
    speckle,
    taper,
)
from ..face import SIDES, Face, Light, both_sides, enlarge, face_relief, shift, shrink, soft_spots
from ..traits import PLAIN_LIGHT, Identity, skin_colour, skin_ramp, through_ramp


def draw_skin(
    canvas: Canvas,
    face: Face,
    light: Light,
    face_mask: Pixels,
    hair_mask: Pixels,
    rng: np.random.Generator,
) -> None:
    """Paint all skin with its light; hair and clothes are painted over it."""
    lit, gloss = light.on_relief(face_relief(face, face_mask))
    oily = 0.1 + 0.1 * face.picture.light.hardness
    below = _body_light(face, light, face_mask)
    shade = Canvas(below + (enlarge(lit + oily * gloss) - below) * face_mask)
    outlines = [face.outline, _neck(face)]
    if not covers_ears(face.identity):
        outlines += ears(face)
        _shade_ears(shade, face, face_mask)
    _shade_nose(shade, face, face_mask)
    _shade_folds(shade, face, face_mask)
    _shade_age(shade, face, face_mask)
    _hair_shadow(shade, hair_mask, light)
    shade.pixels += 0.010 * clouds(rng) + 0.004 * speckle(rng)
    found = canvas.cover(outlines, blur=0.4)
    assert found is not None, "the face lies in the picture"
    window, whole = found
    lit_levels = shade.pixels[window] * PLAIN_LIGHT
    skin = through_ramp(lit_levels, skin_ramp(skin_colour(face.identity)))
    skin += _blood(face, enlarge(_flush(face))[window] * face_mask[window])
    part = canvas.pixels[window]
    part[...] = cv2.blendLinear(skin, part, whole, 1 - whole)


def covers_ears(identity: Identity) -> bool:
    """Return whether the hair hides the ears."""
    return identity.hair.cut in ("bob", "long") or (
        identity.hair.cut == "curly" and not identity.male
    )


def _neck(face: Face) -> Points:
    width = face.neck_half_width
    # Under clothes the skin's shoulders are lower, so that they do not show at the edge.
    low = 0.0 if face.picture.outfit.clothes == "scoop" else 16.0
    right = [
        (0.97 * width, 20.0),
        (0.96 * width, 58.0),
        (1.0 * width, 72.0),
        (1.22 * width, 81.0),
        (1.9 * width, 88.0 + low),
        (76.0, 97.0 + low),
        (98.0, 118.0 + low),
    ]
    return face.body(curve(right + [(-x, y) for x, y in right[::-1]]))


def ears(face: Face) -> list[Points]:
    """Return the outlines of the two ears, pixels."""
    edge = face.half_width
    outline = np.array([(-3, -6), (4, -9), (7.5, -3), (6, 8), (2.5, 17), (-3, 15)], float)
    outline *= 1 + 0.12 * face.identity.shape.ears
    shape = moved(curve(outline, closed=True), edge, 0.0)
    return [face.flat(shape * (side, 1), z=-2.0) for side in SIDES]


def ear_lobes(face: Face) -> Points:
    """Return the lower ends of the two ears, 2 x 2, pixels."""
    return face.flat([(side * (face.half_width + 2.5), 17.5) for side in SIDES], z=-2.0)


def _body_light(face: Face, light: Light, face_mask: Pixels) -> Pixels:
    """Return the light on neck, ears and shoulders, under the shadow of the head."""
    x_light = light.direction[0]
    pivot = face.body([(0.0, 84.0)])[0]
    across = (np.arange(WIDTH, dtype=np.float32) - pivot[0]) / (face.neck_half_width * face.scale)
    bent = 0.24 * x_light * np.clip(across, -1.4, 1.4) - 0.16 * np.minimum(across**2, 1.6)
    head = smooth(shrink(face_mask), 3)
    depth = 0.22 + 0.26 * face.picture.light.hardness
    shadow = depth * enlarge(shift(head, -7 * x_light, 9))
    return np.asarray((0.86 + bent) * (1 - shadow), np.float32)


def _shade_ears(shade: Canvas, face: Face, face_mask: Pixels) -> None:
    hollow = ellipse((face.half_width + 2.6, 2.0), 2.6, 6.5)
    both = [face.flat(hollow * (side, 1), z=-2.0) for side in SIDES]
    shade.add(both, -0.2, blur=1.2, clip=1 - face_mask)


def _shade_nose(shade: Canvas, face: Face, face_mask: Pixels) -> None:
    """Shade nostrils, wings of the nose and the shadow below its tip."""
    tip, width = face.nose_y, 1 + 0.27 * face.identity.shape.nose_width
    below = face.place(ellipse((0, tip + 5.2), 5.5 * width, 1.6), 4)
    shade.add(below, -0.08, blur=1.2, clip=face_mask)
    nostril = np.array(
        [
            (2.4 * width, tip + 4.5),
            (3.8 * width, tip + 3.5),
            (5.5 * width, tip + 4.3),
            (4.0 * width, tip + 5.0),
        ]
    )
    nostrils = face.mirrored(nostril, lift=7.0)
    shade.add(curve(nostrils, closed=True), -0.34, blur=0.6)
    wing = np.array(
        [
            (7.2 * width, tip - 3.2),
            (9.0 * width, tip + 0.8),
            (8.4 * width, tip + 3.8),
            (6.4 * width, tip + 4.6),
        ]
    )
    shade.add(_creases(face.mirrored(wing, lift=3.0), 1.7), -0.17, blur=0.8)


def _creases(points: Points, width: float) -> Points:
    """Return the outlines of tapering lines through `points`, ... x N x 2."""
    paths = curve(points)
    return ribbon(paths, taper(paths.shape[-2], 0.3, width, 0.3))


def _shade_folds(shade: Canvas, face: Face, face_mask: Pixels) -> None:
    """Shade smile folds, bags under the eyes and the line of a double chin."""
    picture, old = face.picture, face.old
    smile = max(picture.expression.smile, 0.0)
    mouth, corner = face.mouth_y, face.mouth_half_width
    smile_fold = [
        (9.5, face.nose_y - 0.5),
        (corner * 0.85 + 2, mouth - 9 - smile),
        (corner + 3.2, mouth + 1),
    ]
    folds = _creases(face.mirrored(np.array(smile_fold)), 2.0)
    shade.add(folds, -0.05 - 0.1 * smile - 0.2 * old, blur=0.9, clip=face_mask)
    bag = [(face.eye_x - 7.5, 5.0), (face.eye_x, 9.6), (face.eye_x + 8, 6.0)]
    bags = _creases(face.mirrored(np.array(bag)), 1.8)
    shade.add(bags, -0.03 - 0.27 * picture.eye_bags - 0.08 * old, blur=0.7, clip=face_mask)
    if face.has_double_chin:
        y = face.chin
        half = [(0, y + 8), (12, y + 5.5), (22, y - 3)]
        fold = face.flat([(-px, py) for px, py in half[:0:-1]] + half, z=16)
        shade.add(_creases(fold, 3.6), -0.3, blur=1.2)


def _shade_age(shade: Canvas, face: Face, face_mask: Pixels) -> None:
    """Shade crow's feet and the lines of the forehead and beside the mouth."""
    if face.old == 0:
        return
    eye, corner, mouth = face.eye_x, face.mouth_half_width, face.mouth_y
    feet = [[(eye + 11, 2.0 * k - 1), (eye + 16, 4.2 * k - 4)] for k in range(3)]
    frown = [(3.0, -12.0), (3.4, -7.0)]
    beside = [(corner + 1.5, mouth + 4), (corner + 2.0, mouth + 12)]
    short = np.concatenate([face.mirrored(np.array(line)) for line in (*feet, frown, beside)])
    rows = [-23.0 - 6.5 * k for k in range(3)]
    across = [[(-17, y + 1), (-6, y - 0.6), (6, y - 0.6), (17, y + 1)] for y in rows]
    long = np.stack([face.place(line) for line in across])
    lines = [*_creases(short, 1.2), *_creases(long, 1.2)]
    shade.add(lines, -0.15 * face.old, blur=0.5, clip=face_mask)


def _hair_shadow(shade: Canvas, hair_mask: Pixels, light: Light) -> None:
    x, y, _ = light.direction
    soft = smooth(shrink(hair_mask), 1.8)
    shade.pixels *= 1 - 0.3 * enlarge(shift(soft, -2 * x, 1.2 - y))


def _flush(face: Face) -> Pixels:
    """Return the redness of cheeks, nose and chin, half size."""
    cheeks = both_sides([(27.0, 17.0, 0.45 + 1.9 * face.picture.makeup.blush, 9.0, 7.5)])
    middle = [(0.0, face.nose_y, 0.55, 6.0, 5.0), (0.0, face.chin - 8, 0.25, 9.0, 5.0)]
    return soft_spots(face, cheeks + middle)


def _blood(face: Face, red: Pixels) -> Pixels:
    """Return the change of colour by redness, H x W x 3; it is smaller on dark skin."""
    strength = 1 - 0.55 * face.identity.skin
    channels = [red * np.float32(amount * strength) for amount in (5, -15, -11)]
    return np.asarray(cv2.merge(channels), np.float32)
