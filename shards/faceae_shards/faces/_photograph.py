"""Aligned faces of a photograph, by the landmarks or box that are known, or by detection.

H x W x 3 arrays are uint8, RGB.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ._align import TARGETS, align_face, fit_to_celeba, measure_step
from ._detect import detect_faces, detect_in_box
from ._face import LANDMARK_NAMES, MIRRORED, Box, Face, Which

_TARGET_BOX: Box = (48.0, 72.0, 81.0, 112.0)
"""Mean box of the detector in CelebA's aligned pictures."""


def find_faces(
    image_HWC: NDArray[np.uint8],
    *,
    which: Which = "largest",
    landmarks: Mapping[str, Sequence[float]] | None = None,
    box: Sequence[float] | None = None,
) -> list[Face]:
    """Return the faces to align, at most `MAX_FACES`; an empty list where there is none.

    Args:
        image_HWC: the photograph.
        which: the choice among detected faces. It has no effect where landmarks or a box are given.
        landmarks: of the face, {name: [x, y]} in pixels, as a sample's json holds them. Left may
            also be the person's own left.
        box: of the face: x, y, width, height, as CelebA's table has them. The landmarks are
            detected inside; where that fails, they are put at their mean places in a box.

    Raises:
        ShardsError: a face must be detected, and OpenCV or the weights are missing.
        ValueError: the landmarks or the box cannot be those of a face.
    """
    if landmarks is not None:
        return [_make_face(landmarks)]
    if box is not None:
        checked = _check_box(box)
        return [detect_in_box(image_HWC, checked) or _make_average_face(checked)]
    return detect_faces(image_HWC, which)


def align_faces(
    image_HWC: NDArray[np.uint8],
    *,
    which: Which = "largest",
    crop: int | None = None,
    size: int | None = None,
) -> list[NDArray[np.uint8]]:
    """Return the faces that `find_faces` detects, each as `align_face` frames it."""
    faces = find_faces(image_HWC, which=which)
    return [align_face(image_HWC, face.landmarks, crop=crop, size=size) for face in faces]


def measure_face(face: Face, *, crop: int | None = None, size: int | None = None) -> float:
    """Return how many pixels of the photograph lie along one pixel of the aligned face.

    A face with less than 1 is enlarged.
    """
    return measure_step(face.landmarks, crop, size)


def measure_roll(face: Face) -> float:
    """Return by how much a face is turned in the photograph, 0 (upright) to 180 degrees."""
    return math.degrees(abs(fit_to_celeba(face.landmarks).angle_rad))


def _make_face(landmarks: Mapping[str, Sequence[float]]) -> Face:
    if set(landmarks) != set(LANDMARK_NAMES):
        wanted = ", ".join(LANDMARK_NAMES)
        raise ValueError(f"landmarks must be {wanted}, got {', '.join(landmarks)}")
    points = np.array([landmarks[name] for name in LANDMARK_NAMES], dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all() or (points[0] == points[1]).all():
        raise ValueError(f"landmarks must be five points, got {points.tolist()}")
    if _is_mirrored(points):
        points = points[MIRRORED]
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(box=(*low.tolist(), *(high - low).tolist()), score=1.0, landmarks=points)


def _is_mirrored(points: NDArray[np.float64]) -> bool:
    """Return whether left and right are those of the person."""
    across, down = points[1] - points[0], points[3:].mean(axis=0) - points[:2].mean(axis=0)
    return bool(across[0] * down[1] - across[1] * down[0] < 0)


def _check_box(box: Sequence[float]) -> Box:
    x, y, width, height = (float(value) for value in box)
    if not np.isfinite([x, y, width, height]).all() or min(width, height) <= 0:
        raise ValueError(f"a box must be x, y, width and height above 0, got {list(box)}")
    return x, y, width, height


def _make_average_face(box: Box) -> Face:
    """Return an upright face whose landmarks lie at their mean places in its box."""
    step = max(box[2] / _TARGET_BOX[2], box[3] / _TARGET_BOX[3])
    middle = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    target_middle = np.array(
        [_TARGET_BOX[0] + _TARGET_BOX[2] / 2, _TARGET_BOX[1] + _TARGET_BOX[3] / 2]
    )
    return Face(box=box, score=0.0, landmarks=(TARGETS - target_middle) * step + middle)
