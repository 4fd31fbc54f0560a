"""Draws reproducible noise.

Shapes: N faces, Z latent size.
"""

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError

BLOCK_FACES = 64
"""Faces per position of the random generator's counter. Another value changes all faces."""

_LIMIT = 2**63


def latent_noise(seed: int, start: int, count: int, latent_size: int) -> NDArray[np.float32]:
    """Return the standard normal noise of faces `start` to `start + count - 1`, count x Z float32.

    Face number i of a seed and latent size does not depend on `start` and `count`: each block of 64
    faces uses its own part of the counter of Philox 4x64 (Salmon et al., 2011, "Parallel random
    numbers: as easy as 1, 2, 3"), with the seed as key.

    Raises:
        FaceaeError: a number is negative or 2^63 or more.
    """
    for name, value in (("seed", seed), ("start", start), ("count", count)):
        if not 0 <= value < _LIMIT:
            raise FaceaeError(f"`{name}` must be at least 0 and below 2^63, got {value}")
    first_block, offset = divmod(start, BLOCK_FACES)
    end = offset + count
    noise_NZ = np.empty((end, latent_size), dtype=np.float32)
    for index, first in enumerate(range(0, end, BLOCK_FACES)):
        # A block advances only the counter's lowest word, so that blocks never overlap.
        bits = np.random.Philox(key=seed, counter=[0, 0, 0, first_block + index])
        rows = noise_NZ[first : first + BLOCK_FACES]  # a block may end early: its rows are in order
        np.random.Generator(bits).standard_normal(out=rows, dtype=np.float32)
    return noise_NZ[offset:]
