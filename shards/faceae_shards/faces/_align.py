"""Photographs framed as CelebA frames its aligned faces.

The pictures of CelebA's img_align_celeba (Liu et al., "Deep Learning Face Attributes in the
Wild", ICCV 2015) are 178 x 218. A public script that describes itself as their source,
align_face_celeba.m, moves the two eyes and the midpoint of the mouth's corners to fixed places by a
similarity transform, fitted by least squares, and repeats the photograph's outermost pixels beyond
its edges. This module does the same. The nose is left out, as there: it moves when a head turns.

H x W x 3 arrays are uint8, RGB.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import fit_image, scale_image
from ._opencv import load_cv2
from ._similarity import Similarity, fit_similarity

ALIGNED_WIDTH, ALIGNED_HEIGHT = 178, 218
"""Size of CelebA's aligned pictures, in pixels."""

TARGETS = np.array(
    [
        [69.745, 111.0],  # lefteye
        [107.237, 111.0],  # righteye
        [88.0, 136.0],  # nose
        [72.0, 152.514],  # leftmouth
        [104.864, 152.514],  # rightmouth
    ]
)
"""Places of `LANDMARK_NAMES` in CelebA's aligned pictures. The eyes and the mouth's midpoint
(88.432, 152.514) are those of align_face_celeba.m, less one, because MATLAB counts from 1. The nose
and the mouth's width follow the landmark table's row in a comment of ALAE's align_faces.py
(Pidhorskyi, 2020). They serve detection; the framing uses the eyes and the mouth's midpoint."""
TARGETS.setflags(write=False)

_MAX_SHIFT = 12.0
"""A picture of CelebA's aligned size is left in place where alignment would move its landmarks by
fewer pixels than this, a third of the distance between the eyes."""
_MAX_DENSITY = 8
"""Most samples along a side of an output pixel. Sources with more pixels than that are first
averaged over squares of 2, 4, ... pixels."""
_MARGIN = 4
"""Pixels of the source that are read beyond the edge of the result, for interpolation."""


def align_face(
    image_HWC: NDArray[np.uint8],
    landmarks: NDArray[np.float64],
    *,
    crop: int | None = None,
    size: int | None = None,
) -> NDArray[np.uint8]:
    """Return the face as packing would store it from CelebA's aligned picture.

    With `crop` the centre square of that many pixels of 178 x 218 is kept; with `size` the centre
    square of the result is scaled to that side; without both the result is 178 x 218. It is sampled
    once from the photograph, so a `size` above 178 shows the photograph's own detail.

    A picture of 178 x 218 whose face already is where CelebA's are is not moved.

    Args:
        image_HWC: the photograph.
        landmarks: 5 x 2, pixels of the photograph, in the order of `LANDMARK_NAMES`.
        crop: pixels, 1 to 178.
        size: pixels of the result's sides.

    Raises:
        ValueError: `crop` is out of range, or the landmarks are not finite or coincide.
    """
    frame, width, height = frame_aligned(crop, size)
    to_celeba = fit_to_celeba(landmarks)
    if is_aligned_size(image_HWC) and _moves_little(to_celeba):
        return fit_image(image_HWC, crop, size)
    return sample(image_HWC, frame.then(to_celeba.invert()), width, height)


def is_aligned_size(image_HWC: NDArray[np.uint8]) -> bool:
    """Return whether a picture has the size of CelebA's aligned ones."""
    return image_HWC.shape[:2] == (ALIGNED_HEIGHT, ALIGNED_WIDTH)


def measure_step(landmarks: NDArray[np.float64], crop: int | None, size: int | None) -> float:
    """Return how many pixels of the photograph lie along one pixel of the aligned face."""
    frame, _, _ = frame_aligned(crop, size)
    return frame.scale / fit_to_celeba(landmarks).scale


def fit_to_celeba(landmarks: NDArray[np.float64]) -> Similarity:
    """Return the transform from the photograph to the aligned picture of 178 x 218.

    Raises:
        ValueError: as `align_face`.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != TARGETS.shape or not np.isfinite(points).all():
        raise ValueError(f"landmarks must be 5 x 2 and finite, got {points.tolist()}")
    return fit_similarity(eyes_and_mouth(points), eyes_and_mouth(TARGETS))


def frame_aligned(crop: int | None, size: int | None) -> tuple[Similarity, int, int]:
    """Return the transform from the result to the aligned picture, and the result's size.

    Raises:
        ValueError: `crop` is out of range.
    """
    if crop is not None and not 1 <= crop <= ALIGNED_WIDTH:
        raise ValueError(f"crop must be 1 to {ALIGNED_WIDTH}, got {crop}")
    if crop is None and size is None:
        return Similarity(rotation=np.eye(2), shift=np.zeros(2)), ALIGNED_WIDTH, ALIGNED_HEIGHT
    wanted = size or crop or ALIGNED_WIDTH
    frame = locate_centre(ALIGNED_HEIGHT, ALIGNED_WIDTH, crop=crop, size=wanted)
    return frame, wanted, wanted


def locate_centre(height: int, width: int, *, crop: int | None, size: int) -> Similarity:
    """Return the transform from the pixels of what `fit_image` cuts to those of the picture."""
    side = min(height, width) if crop is None else crop
    step = side / size
    corner = np.array([(width - side) // 2, (height - side) // 2])
    return Similarity(rotation=np.eye(2) * step, shift=corner + (step - 1) / 2)


def sample(
    image_HWC: NDArray[np.uint8], to_source: Similarity, width: int, height: int
) -> NDArray[np.uint8]:
    """Sample a picture of `width` x `height` pixels from a photograph, without aliasing.

    The photograph is interpolated (bicubic) at least as densely as it has pixels, then scaled down
    by the filter of `fit_image`. Beyond its edges the outermost pixels repeat.
    """
    image_HWC, to_source = _cut(image_HWC, to_source, width, height)
    while to_source.scale > _MAX_DENSITY and min(image_HWC.shape[:2]) > 1:
        image_HWC, to_source = _halve(image_HWC, to_source)
    density = min(max(math.ceil(to_source.scale - 1e-9), 1), _MAX_DENSITY)
    dense = warp(image_HWC, _refine_grid(to_source, density), width * density, height * density)
    if density == 1:
        return dense
    return scale_image(dense, width, height)


def warp(
    image_HWC: NDArray[np.uint8], to_source: Similarity, width: int, height: int
) -> NDArray[np.uint8]:
    """Sample `width` x `height` points of a photograph by bicubic interpolation."""
    cv2 = load_cv2()
    warped: NDArray[np.uint8] = cv2.warpAffine(
        image_HWC,
        to_source.matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped


def _moves_little(to_celeba: Similarity) -> bool:
    moved = to_celeba.apply(TARGETS) - TARGETS
    return bool(np.linalg.norm(moved, axis=1).max() < _MAX_SHIFT)


def eyes_and_mouth(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eyes and the midpoint of the mouth's corners, 3 x 2, of 5 x 2 landmarks."""
    return np.stack([landmarks[0], landmarks[1], landmarks[3:].mean(axis=0)])


def _cut(
    image_HWC: NDArray[np.uint8], to_source: Similarity, width: int, height: int
) -> tuple[NDArray[np.uint8], Similarity]:
    """Keep the part of the photograph that the result shows, or else a pixel at its edge.

    OpenCV refuses sides above 32,767 pixels, and halving the whole photograph would be slow.
    """
    corners = np.array([[x, y] for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])
    seen = to_source.apply(corners)
    margin = _MARGIN * max(to_source.scale, 1)
    limit = np.array(image_HWC.shape[1::-1])
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin), low + 1, limit).astype(int)
    part = image_HWC[low[1] : high[1], low[0] : high[0]]
    moved = Similarity(rotation=to_source.rotation, shift=to_source.shift - low)
    return np.ascontiguousarray(part), moved


def _halve(
    image_HWC: NDArray[np.uint8], to_source: Similarity
) -> tuple[NDArray[np.uint8], Similarity]:
    """Average over squares of 2 x 2 pixels. An odd last row or column is repeated first."""
    cv2: Any = load_cv2()
    height, width, _ = image_HWC.shape
    even = cv2.copyMakeBorder(image_HWC, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    half_size = ((width + 1) // 2, (height + 1) // 2)
    half: NDArray[np.uint8] = cv2.resize(even, half_size, interpolation=cv2.INTER_AREA)
    shift = (to_source.shift - 0.5) / 2
    return half, Similarity(rotation=to_source.rotation / 2, shift=shift)


def _refine_grid(to_source: Similarity, density: int) -> Similarity:
    """Replace each pixel of the result by `density` x `density` points."""
    rotation = to_source.rotation / density
    first = np.full(2, 0.5 / density - 0.5)
    return Similarity(rotation=rotation, shift=to_source.apply(first[None])[0])
