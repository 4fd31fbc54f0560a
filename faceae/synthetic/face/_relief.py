"""The surface of a face as heights, for the light to shade."""

import numpy as np

from ..canvas import Pixels, smooth
from ._face import Face
from ._light import COLUMNS, ROWS, Bump, both_sides, shrink, soft_spots


def face_relief(face: Face, face_mask: Pixels) -> Pixels:
    """Return the height of the face's surface, half size, pixels."""
    edge = shrink(face_mask)
    rounded = 7 * smooth(edge, 2.2) + 10 * smooth(edge, 5)
    relief = dome(face, 4.0, 52, 88) + rounded
    relief += face.scale * soft_spots(face, _hills(face))
    relief += face.scale * soft_spots(face, _nose(face), lift=9)
    return np.asarray(relief, np.float32)


def dome(face: Face, z: float, half_width: float, half_height: float) -> Pixels:
    """Return the height of an egg around the head, half size, pixels; sizes are in head units."""
    centre = face.project([(0.0, 0.0, z)])[0]
    x = (COLUMNS[:, 0] - centre[0]) / (face.scale * half_width)
    y = (ROWS[:, 0] - centre[1]) / (face.scale * half_height)
    rest = (1 - (y * y)[:, None] - x * x).astype(np.float32)
    return np.asarray(face.scale * 40 * np.sqrt(np.maximum(rest, 0.04)), np.float32)


def _hills(face: Face) -> list[Bump]:
    """Return the face's hills and hollows without the nose, as `soft_spots` takes them."""
    traits = face.identity
    smile = max(face.picture.expression.smile, 0.0)
    eye, mouth = face.eye_x, face.mouth_y
    sides = [
        (eye - 3, -11.0, 2.4 if traits.male else 1.3, 9, 3.5),
        (eye - 1, 1.0, -4.2, 9.0, 6.5),
        (eye, 0.5, 2.6, 6.5, 4.5),
        (8.0, -3.0, -1.0, 4.5, 5.0),
        (26.0, 17.0 - 2.5 * smile, face.cheek_height, 9.5, 7.0),
        (24.0, 36.0, 2.6 * traits.shape.weight - 1.6 * max(traits.shape.cheekbones, 0), 9.0, 10.0),
        (37.0, -16.0, -2.0, 6.0, 9.0),
        (13.5, mouth - 9.0, -0.9 - 1.3 * smile, 3.0, 6.0),
        (face.mouth_half_width + 3.5, mouth - 2.5 * smile, -1.3 - 1.4 * smile, 2.8, 3.6),
        (17.0, -30.0, 1.4, 12.0, 12.0),
    ]
    middle = [
        (0.0, mouth - 7.5, -0.8, 1.8, 3.5),
        (0.0, mouth, 3.4, 11.0, 5.0),
        (0.0, mouth + 9.5, -2.4, 8.0, 2.8),
        (0.0, face.chin - 8.5, 4.2, 8.5 + 2 * traits.shape.jaw, 6.0),
        (0.0, -12.0, -0.6, 3.0, 4.0),
    ]
    return both_sides(sides) + middle


def _nose(face: Face) -> list[Bump]:
    traits, tip = face.identity, face.nose_y
    width, point = 1 + 0.25 * traits.shape.nose_width, traits.shape.nose_point
    wings = [(6.2 + 2.0 * traits.shape.nose_width, tip + 1.6, 3.1, 3.3 * width, 3.2)]
    middle = [
        (0.0, 0.18 * tip, 1.7, 3.6, 8.0),
        (0.0, 0.62 * tip, 3.6, 4.2 * width, 7.5),
        (0.0, tip - 0.6, 6.4 + 1.6 * point, (5.6 - 1.5 * point) * width, 5.6 - 0.9 * point),
    ]
    return both_sides(wings) + middle
