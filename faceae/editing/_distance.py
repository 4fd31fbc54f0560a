"""Warns where an edit leads far beyond the training faces.

Shapes: N faces, K attributes, Z latent size.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ._directions import Directions

_FAR = 2.5
"""A score this many times the largest of a training face is far from the data. Strength 2 mostly
stays below it, even on a face that already has the attribute."""


def find_far(
    directions: Directions, latents: NDArray[np.float32], names: Iterable[str]
) -> list[str]:
    """Return a line for each named direction in which an edited face lies far from the data.

    Args:
        latents: N x Z, edited.
    """
    lines = []
    farthest_K = np.abs(directions.score(latents)).max(axis=0)
    for name in names:
        row = directions.index(name)
        farthest = float(farthest_K[row])
        limit = float(directions.limits[row])
        if farthest > _FAR * limit:
            lines.append(
                f"{name}: an edited face lies {farthest:.1f} standard deviations from the mean of "
                f"the training faces, of which the farthest lies at {limit:.1f}; expect "
                "artefacts, or give a smaller strength"
            )
    return lines
