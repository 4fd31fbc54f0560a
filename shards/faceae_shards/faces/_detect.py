"""Faces of a photograph of any size: found in a small copy, then located in a close view.

YuNet's landmarks of a turned face are turned too little: on faces turned by up to 30 degrees its
line through the eyes was off by 10 degrees in the median. So each face is cut out by its landmarks,
turned upright and detected again, with its mirror image, whose errors point the other way; five
times, each time from the last result.

To a face that is upside down YuNet gives upright landmarks, and to one that lies on its side mostly
wrong ones. It is less sure of both. So a face that it is not sure of is also looked at turned by
quarters.

H x W x 3 arrays are uint8, RGB.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ._align import TARGETS, warp
from ._face import MAX_FACES, MIRRORED, Box, Face, Which, order_faces
from ._opencv import load_cv2
from ._similarity import Similarity, fit_similarity, turn
from ._yunet import run_yunet

_LONG_SIDE = 640
"""Longer side of the small copy, in pixels: enough for faces of a twentieth of the photograph."""
_SHORT_LONG_SIDE = 320
"""Smaller photographs are enlarged to this longer side."""
_SECOND_LONG_SIDE = 1280
"""Longer side of a second copy, for small faces, where the first showed none."""
_PADDED_LONG_SIDE = 224
"""Longer side of a last copy with a margin, for faces that fill the picture."""
_PADDING = 0.3
"""Margin on each side of that copy, as a share of the photograph's longer side."""

_MIN_SIDE = 16
"""Least shorter side of a copy, in pixels."""

_CLOSE_SIDE = 160
"""Side of the square close view of a face, in pixels."""
_CLOSE_EYES = 30.0
"""Distance between the eyes in the close view, in pixels."""
_NUM_LOOKS = 5
"""Close views of a face, one after another."""
_NUM_AVERAGED = 3
"""Close views, the last ones, whose landmarks are averaged."""
_CUT_OUT = 3.0
"""Side of the square that is cut out around a face, in longer sides of its box."""
_CUT_OUT_SIDE = 448
"""A larger cut-out is scaled down to this many pixels, so that large faces take no longer."""
_TURN_GAIN = 2.0
"""Correction of a turn, relative to the turn that YuNet shows, which is half of the true one."""
_MIN_SCORE = 0.6
"""Least confidence of a face in its close view."""
_SURE_SCORE = 0.9
"""Confidence that upright faces reach in their close view, and few that are upside down."""
_CERTAIN_SCORE = 0.92
"""Confidence above which a face is not looked at turned."""
_QUARTERS = (np.pi, np.pi / 2, -np.pi / 2)
"""Turns by which a face is looked at where it is not sure to be upright."""
_BOX_ENLARGED = 2.0
"""Side of the square in which the face of a given box is detected, in longer sides of the box."""

_CLOSE_TARGETS = (TARGETS - TARGETS.mean(axis=0)) * (
    _CLOSE_EYES / (TARGETS[1, 0] - TARGETS[0, 0])
) + (_CLOSE_SIDE - 1) / 2


def detect_faces(image_HWC: NDArray[np.uint8], which: Which = "all") -> list[Face]:
    """Return the faces of a photograph, by falling size, or the largest or most central alone.

    Raises:
        ShardsError: OpenCV or the weights are missing.
    """
    height, width, _ = image_HWC.shape
    found = order_faces(_find(image_HWC), which, width=width, height=height)
    faces: list[Face] = []
    for face in _look_at_each(image_HWC, found):
        faces.append(face)
        if which != "all" or len(faces) == MAX_FACES:
            break
    return faces


def detect_in_box(image_HWC: NDArray[np.uint8], box: Box) -> Face | None:
    """Return the face in a box of the photograph, or None where none is detected there.

    Raises:
        ShardsError: OpenCV or the weights are missing.
    """
    left, top, right, bottom = _enlarge(box, _BOX_ENLARGED, image_HWC.shape[1], image_HWC.shape[0])
    faces = detect_faces(image_HWC[top:bottom, left:right], "centre")
    return _move(faces[0], np.ones(2), np.array([left, top])) if faces else None


def _find(image_HWC: NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a small copy."""
    long_side = max(image_HWC.shape[:2])
    faces = _find_at(image_HWC, min(max(long_side, _SHORT_LONG_SIDE), _LONG_SIDE))
    if not faces and long_side > _LONG_SIDE:
        faces = _find_at(image_HWC, min(long_side, _SECOND_LONG_SIDE))
    return faces or _find_at(image_HWC, _PADDED_LONG_SIDE, _PADDING)


def _find_at(image_HWC: NDArray[np.uint8], side: int, padding: float = 0.0) -> list[Face]:
    """Return the faces in a copy whose longer side has `side` pixels, padding included."""
    cv2 = load_cv2()
    border = round(side * padding / (1 + 2 * padding))
    factor = (side - 2 * border) / max(image_HWC.shape[:2])
    size = [max(round(length * factor), _MIN_SIDE) for length in image_HWC.shape[1::-1]]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image_HWC, size, interpolation=how)
    small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
    step = np.divide(image_HWC.shape[1::-1], size)
    return [_move(face, step, (step - 1) / 2 - border * step) for face in run_yunet(small)]


def _move(face: Face, step: NDArray[np.float64], shift: NDArray[np.float64]) -> Face:
    """Return a copy's face in the photograph's pixels, where p lies at p * step + shift."""
    corner, extent = np.array(face.box[:2]) * step + shift, np.array(face.box[2:]) * step
    box = (float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1]))
    return replace(face, box=box, landmarks=face.landmarks * step + shift)


def _look_at_each(image_HWC: NDArray[np.uint8], faces: list[Face]) -> Iterator[Face]:
    for face in faces:
        part_HWC, step, corner = _cut_out(image_HWC, face.box)
        sure = _look_all_round(part_HWC, _move(face, 1 / step, -corner / step))
        if sure is not None:
            landmarks = sure.landmarks * step + corner
            yield replace(face, landmarks=landmarks, score=sure.score)


def _cut_out(
    image_HWC: NDArray[np.uint8], box: Box
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """Return a face's surroundings, scaled down if large, with step and corner: pixel p of them
    lies at p * step + corner of the photograph."""
    cv2 = load_cv2()
    left, top, right, bottom = _enlarge(box, _CUT_OUT, image_HWC.shape[1], image_HWC.shape[0])
    part_HWC = np.ascontiguousarray(image_HWC[top:bottom, left:right])
    factor = min(_CUT_OUT_SIDE / max(part_HWC.shape[:2]), 1)
    size = [max(round(length * factor), 1) for length in part_HWC.shape[1::-1]]
    step = np.divide(part_HWC.shape[1::-1], size)
    small_HWC = cv2.resize(part_HWC, size, interpolation=cv2.INTER_AREA)
    return small_HWC, step, (step - 1) / 2 + [left, top]


def _look_all_round(image_HWC: NDArray[np.uint8], face: Face) -> Face | None:
    """Return the face as `_look_closely` does, turned by quarters if it is surer then."""
    upright = _look_closely(image_HWC, face)
    if upright is not None and upright.score >= _CERTAIN_SCORE:
        return upright
    to_close = fit_similarity((upright or face).landmarks, _CLOSE_TARGETS)
    for angle_rad in _QUARTERS:
        to_turned = to_close.then(_turn_close(angle_rad))
        look = _look(image_HWC, to_turned)
        if look is None or look[1] <= (upright.score if upright else 0):
            continue
        landmarks = to_turned.invert().apply(_CLOSE_TARGETS)
        turned = _look_closely(image_HWC, replace(face, landmarks=landmarks))
        least = max(_SURE_SCORE, upright.score if upright else 0)
        if turned is not None and turned.score >= least:
            return turned
    return upright


def _turn_close(angle_rad: float) -> Similarity:
    """Return the turn of a close view about its centre."""
    rotation, centre = turn(1.0, angle_rad), np.full(2, (_CLOSE_SIDE - 1) / 2)
    return Similarity(rotation=rotation, shift=centre - rotation @ centre)


def _look_closely(image_HWC: NDArray[np.uint8], face: Face) -> Face | None:
    """Return the face with more exact landmarks, or None where a close view shows no face."""
    to_close = fit_similarity(face.landmarks, _CLOSE_TARGETS)
    looks = []
    for _ in range(_NUM_LOOKS):
        look = _look(image_HWC, to_close)
        if look is None:
            return None
        seen, score = look
        looks.append(to_close.invert().apply(seen))
        to_close = to_close.then(_correct(seen))
    landmarks = np.mean(looks[-_NUM_AVERAGED:], axis=0)
    return replace(face, landmarks=landmarks, score=score) if score >= _MIN_SCORE else None


def _look(
    image_HWC: NDArray[np.uint8], to_close: Similarity
) -> tuple[NDArray[np.float64], float] | None:
    """Return landmarks in the close view and their score, averaged with its mirror image's."""
    close = warp(image_HWC, to_close.invert(), _CLOSE_SIDE, _CLOSE_SIDE)
    plain, mirrored = _see(close), _see(np.ascontiguousarray(close[:, ::-1]))
    if plain is None or mirrored is None:
        return None
    back = mirrored.landmarks[MIRRORED] * [-1, 1] + [_CLOSE_SIDE - 1, 0]
    return (plain.landmarks + back) / 2, (plain.score + mirrored.score) / 2


def _see(close_HWC: NDArray[np.uint8]) -> Face | None:
    faces = run_yunet(close_HWC)
    middle = order_faces(faces, "centre", width=_CLOSE_SIDE, height=_CLOSE_SIDE)
    return middle[0] if middle else None


def _correct(seen: NDArray[np.float64]) -> Similarity:
    """Return the transform that moves landmarks to their places, turned by `_TURN_GAIN`."""
    fitted = fit_similarity(seen, _CLOSE_TARGETS)
    rotation = turn(fitted.scale, fitted.angle_rad * _TURN_GAIN)
    shift = _CLOSE_TARGETS.mean(axis=0) - rotation @ seen.mean(axis=0)
    return Similarity(rotation=rotation, shift=shift)


def _enlarge(box: Box, factor: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a square around a box, within the picture."""
    middle = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    reach = max(box[2], box[3]) * factor / 2
    limit = np.array([width, height])
    low = np.clip(np.floor(middle - reach), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(middle + reach), low + 1, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
