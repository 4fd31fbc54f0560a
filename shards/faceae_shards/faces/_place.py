"""Where faces lie in pictures that were not aligned, and photographs framed in the same way.

H x W x 3 arrays are uint8, RGB.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import fit_image
from ._align import eyes_and_mouth, sample
from ._detect import detect_faces
from ._similarity import Similarity, fit_similarity, turn

_LONGEST = 256
"""Pictures are scaled down to this side before their faces are measured."""
_LEAST_SHARE = 0.5
"""A place is measured where at least this share of the pictures shows a face."""
_DIGITS = 4

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a face lies in a square picture: x and y as shares of its side, from its corner."""

    eyes: tuple[Point, Point]
    """The viewer's left one first."""
    mouth: Point
    """Midpoint of the mouth's corners."""

    @classmethod
    def from_json(cls, content: Any) -> "Place":
        """Read what `dataclasses.asdict` returned.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        left, right = (_point(eye) for eye in content["eyes"])
        return cls(eyes=(left, right), mouth=_point(content["mouth"]))

    def points(self, side: float) -> NDArray[np.float64]:
        """Return eyes and mouth in pixels of a picture with this side, 3 x 2."""
        return np.array([*self.eyes, self.mouth]) * side - 0.5


def measure_place(images: Sequence[NDArray[np.uint8]]) -> Place | None:
    """Return where faces mostly lie in the centre squares of pictures, the median.

    None: fewer than half of the pictures show a face.

    Raises:
        ShardsError: OpenCV or the detector's weights are missing.
    """
    shares = []
    for image_HWC in images:
        side = min(*image_HWC.shape[:2], _LONGEST)
        faces = detect_faces(fit_image(image_HWC, None, side), "largest")
        shares += [(eyes_and_mouth(face.landmarks) + 0.5) / side for face in faces]
    if not shares or len(shares) < _LEAST_SHARE * len(images):
        return None
    left, right, mouth = (_point(share) for share in np.median(shares, axis=0))
    return Place(eyes=(left, right), mouth=mouth)


def locate_at(landmarks: NDArray[np.float64], place: Place, size: int) -> Similarity:
    """Return the transform from a square picture, in which a face lies at `place`, to its
    photograph.

    The picture is not turned, except by quarters where the face lies on its side or upside down.

    Args:
        landmarks: 5 x 2, pixels of the photograph.
        size: side of the picture in pixels.

    Raises:
        ValueError: eyes and mouth coincide.
    """
    seen, wanted = eyes_and_mouth(landmarks), place.points(size)
    roll_rad = fit_similarity(wanted, seen).angle_rad
    quarter_rad = round(roll_rad / (math.pi / 2)) * (math.pi / 2)
    rotation = turn(_reach(seen) / _reach(wanted), quarter_rad)
    return Similarity(rotation=rotation, shift=_middle(seen) - rotation @ _middle(wanted))


def frame_at(
    image_HWC: NDArray[np.uint8], landmarks: NDArray[np.float64], place: Place, size: int
) -> NDArray[np.uint8]:
    """Return the square picture of a photograph, size x size x 3, in which a face is at `place`.

    Raises:
        ValueError: as `locate_at`.
    """
    return sample(image_HWC, locate_at(landmarks, place, size), size, size)


def _point(values: Any) -> Point:
    x, y = (round(float(value), _DIGITS) for value in values)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"a point must be two finite numbers, got {x} and {y}")
    return x, y


def _reach(points: NDArray[np.float64]) -> float:
    """Return the distance from between the eyes to the mouth, which no turn of a head shortens."""
    return float(np.linalg.norm(points[2] - points[:2].mean(axis=0)))


def _middle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point half-way from between the eyes to the mouth."""
    middle: NDArray[np.float64] = (points[:2].mean(axis=0) + points[2]) / 2
    return middle
