"""Compares the latents of incoming images with the fitted distribution."""

import numpy as np
from numpy.typing import NDArray

from faceae.latent import Drift, LatentReference, root_mean_square

WINDOW = 1024
"""The last latents, which the gauges of drift describe."""
MIN_COUNT = 32
"""Fewer latents say nothing about drift."""


class DriftWindow:
    """The last latents of incoming images, in coordinates of the fitted distribution."""

    def __init__(self, reference: LatentReference) -> None:
        self._reference = reference
        self._rows: list[NDArray[np.float64]] = []
        self._place = 0

    def add(self, latents: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add latents, N x Z, and return their distances from the fitted mean, N."""
        whitened = self._reference.whiten(latents)
        for row in whitened:
            if len(self._rows) < WINDOW:
                self._rows.append(row)
            else:
                self._rows[self._place] = row
                self._place = (self._place + 1) % WINDOW
        return root_mean_square(whitened)

    def measure(self) -> Drift | None:
        """Return the drift of the window; None before it holds 32 latents."""
        if len(self._rows) < MIN_COUNT:
            return None
        return self._reference.compare_whitened(np.stack(self._rows))
