"""Puts an edited face back into its photograph.

Shapes: H and W pixels of the photograph, S side of the face.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceae_shards.faces import Similarity, paste, paste_change


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
    to_photograph: Similarity,
) -> Pasted:
    """Return a photograph with its edited face.

    Args:
        edited: S x S x 3.
        unedited: the model's reconstruction, S x S x 3. Where it is given, only the difference is
            added to the photograph, whose own detail then stays.
        to_photograph: see `faceae.framing.FramedFace`.
    """
    if unedited is None:
        image_HWC = paste(photograph, edited, to_photograph)
    else:
        change = edited.astype(np.float32) - unedited
        image_HWC = paste_change(photograph, change, to_photograph)
    return Pasted(image=image_HWC, scale=to_photograph.scale)
