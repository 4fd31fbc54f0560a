"""Puts an aligned face back to where it lies in its photograph.

Arrays are H x W x 3, RGB; S is the side of the face.
"""

import numpy as np
from numpy.typing import NDArray

from ._align import fit_to_celeba, frame_aligned
from ._opencv import load_cv2
from ._similarity import Similarity

_FEATHER = 0.2
"""Width of the soft edge, as a share of the face's side."""


def locate_aligned(
    landmarks: NDArray[np.float64], *, crop: int | None = None, size: int | None = None
) -> Similarity:
    """Return the transform from the pixels of an aligned face to those of its photograph.

    Args:
        landmarks: 5 x 2, pixels of the photograph.
        crop, size: as `align_face` was called with.
    """
    frame, _, _ = frame_aligned(crop, size)
    return frame.then(fit_to_celeba(landmarks).invert())


def paste(
    image_HWC: NDArray[np.uint8], face_SSC: NDArray[np.uint8], to_image: Similarity
) -> NDArray[np.uint8]:
    """Return a photograph in which a face replaces its place, with a soft edge.

    The face is scaled by bicubic interpolation. Its outermost fifth blends into the photograph.

    Args:
        face_SSC: S x S x 3.
        to_image: from pixels of the face to those of the photograph.
    """
    return _blend(image_HWC, face_SSC.astype(np.float32), to_image, replaces=True)


def paste_change(
    image_HWC: NDArray[np.uint8], change_SSC: NDArray[np.float32], to_image: Similarity
) -> NDArray[np.uint8]:
    """Return a photograph with a change added, so that its own fine detail stays; see `paste`.

    Args:
        change_SSC: S x S x 3, levels of 255 to add.
    """
    return _blend(image_HWC, change_SSC, to_image, replaces=False)


def _blend(
    image_HWC: NDArray[np.uint8],
    face_SSC: NDArray[np.float32],
    to_image: Similarity,
    *,
    replaces: bool,
) -> NDArray[np.uint8]:
    side = len(face_SSC)
    corners = np.array([[x, y] for x in (-0.5, side - 0.5) for y in (-0.5, side - 0.5)])
    seen = to_image.apply(corners)
    limit = np.array(image_HWC.shape[1::-1])
    left, top = np.clip(np.floor(seen.min(axis=0)), 0, limit - 1).astype(int)
    right, bottom = np.clip(np.ceil(seen.max(axis=0)) + 1, [left + 1, top + 1], limit).astype(int)
    moved = Similarity(rotation=to_image.rotation, shift=to_image.shift - [left, top])
    size = (int(right - left), int(bottom - top))
    share_HW1 = _warp(_soft_square(side), moved, size, repeats=False)[..., None]
    warped_HWC = _warp(face_SSC, moved, size, repeats=True)
    result = image_HWC.copy()
    part_HWC = image_HWC[top:bottom, left:right].astype(np.float32)
    changed_HWC = share_HW1 * (warped_HWC - part_HWC if replaces else warped_HWC)
    result[top:bottom, left:right] = (part_HWC + changed_HWC).round().clip(0, 255)
    return result


def _soft_square(side: int) -> NDArray[np.float32]:
    """Return shares, S x S: 0 at the edge, 1 inside of the soft edge, with a smooth step."""
    inward_S = np.minimum(np.arange(side), np.arange(side)[::-1]) / max(side * _FEATHER, 1)
    share_S = np.clip(inward_S, 0, 1)
    smooth_S = share_S * share_S * (3 - 2 * share_S)
    return np.outer(smooth_S, smooth_S).astype(np.float32)


def _warp(
    values: NDArray[np.float32], to_image: Similarity, size: tuple[int, int], *, repeats: bool
) -> NDArray[np.float32]:
    cv2 = load_cv2()
    warped: NDArray[np.float32] = cv2.warpAffine(
        values,
        to_image.matrix,
        size,
        flags=cv2.INTER_CUBIC if repeats else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if repeats else cv2.BORDER_CONSTANT,
    )
    return warped
