"""Edited faces put back into their photographs.

Arrays are H x W x 3 uint8, RGB; S is the side of the model's faces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.pictures import is_framed
from faceae_shards.faces import (
    Similarity,
    find_faces,
    locate_aligned,
    locate_centre,
    paste,
    paste_change,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pasted:
    """A photograph with an edited face."""

    image: NDArray[np.uint8]
    """H x W x 3."""
    scale: float
    """Pixels of the photograph along one pixel of the face."""


def paste_edit(
    photograph: NDArray[np.uint8],
    edited: NDArray[np.uint8],
    unedited: NDArray[np.uint8] | None = None,
    *,
    crop: int | None,
    align: bool = True,
) -> Pasted:
    """Return a photograph with its edited face, where `faceae.pictures.frame_face` took it from.

    Args:
        edited: S x S x 3.
        unedited: the model's reconstruction, S x S x 3. Where it is given, only the difference is
            added to the photograph, whose own detail then stays.
        crop, align: as `frame_face` was called with.

    Raises:
        FaceaeError: no face is found.
    """
    to_photograph = _locate(photograph, len(edited), crop, align)
    if unedited is None:
        image_HWC = paste(photograph, edited, to_photograph)
    else:
        change = edited.astype(np.float32) - unedited
        image_HWC = paste_change(photograph, change, to_photograph)
    return Pasted(image=image_HWC, scale=to_photograph.scale)


def _locate(photograph: NDArray[np.uint8], size: int, crop: int | None, align: bool) -> Similarity:
    height, width, _ = photograph.shape
    if (height, width) == (size, size):
        return locate_centre(height, width, crop=None, size=size)
    if not align or is_framed(photograph, crop):
        return locate_centre(height, width, crop=crop, size=size)
    faces = find_faces(photograph)
    if not faces:
        raise FaceaeError("no face found; give another photograph, or pass `align=False`")
    return locate_aligned(faces[0].landmarks, crop=crop, size=size)
