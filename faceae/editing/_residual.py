"""The detail of a photograph that its reconstruction lacks."""

import numpy as np
from numpy.typing import NDArray


def add_residual(
    edited: NDArray[np.uint8], faces: NDArray[np.uint8], reconstructed: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return edited faces with what the reconstructions lack of the faces, clipped to 0..255.

    Args:
        edited, faces, reconstructed: N x S x S x 3 uint8.
    """
    residual = faces.astype(np.int16) - reconstructed
    result: NDArray[np.uint8] = (edited + residual).clip(0, 255).astype(np.uint8)
    return result
