"""A face in a picture, and the choice among several."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LANDMARK_NAMES = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
"""CelebA's names, in its order. Left is the viewer's left."""

MIRRORED = [1, 0, 2, 4, 3]
"""Order of the landmarks in a mirror image."""

MAX_FACES = 100
"""Faces of one picture that are used. The smallest ones beyond that number are left out."""

Which = Literal["largest", "centre", "all"]
"""The faces of a picture to take."""

Box = tuple[float, float, float, float]
"""x, y, width and height in pixels; x and y are the left and upper edge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Face:
    """One face. Coordinates are pixels of the source; (0, 0) is the centre of the first pixel."""

    box: Box
    """From forehead to chin and from ear to ear. It may reach beyond the picture."""
    score: float
    """The detector's confidence, 0 to 1."""
    landmarks: NDArray[np.float64]
    """5 x 2, x and y in the order of `LANDMARK_NAMES`."""


def order_faces(faces: Iterable[Face], which: Which, *, width: int, height: int) -> list[Face]:
    """Sort faces of a picture of `width` x `height` pixels, the first choice first.

    `centre` sorts by the distance of a box from the middle of the picture, the others by area.
    """
    if which == "centre":
        return sorted(faces, key=lambda face: _distance(face.box, width / 2, height / 2))
    return sorted(faces, key=lambda face: -face.box[2] * face.box[3])


def _distance(box: Box, x: float, y: float) -> float:
    return float(np.hypot(box[0] + box[2] / 2 - x, box[1] + box[3] / 2 - y))
