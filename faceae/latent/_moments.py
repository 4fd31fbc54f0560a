"""Mean and covariance of latents in one pass.

Shapes: N latents, Z latent size.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError

from ._normal import NormalPrior


class LatentMoments:
    """Count, mean and scatter matrix of all latents added so far, in float64.

    Uses the pairwise update of Chan, Golub and LeVeque (1983), "Algorithms for computing the sample
    variance". Apart from rounding, the result depends neither on the batches nor on the order of
    merging. It does not lose digits if the mean is much larger than the standard deviation.
    """

    def __init__(self, latent_size: int) -> None:
        self._count = 0
        self._mean_Z = np.zeros(latent_size)
        self._scatter_ZZ = np.zeros((latent_size, latent_size))

    @property
    def count(self) -> int:
        """Number of latents added."""
        return self._count

    def update(self, latents: NDArray[np.floating[Any]]) -> None:
        """Add latents, N x Z, of any float dtype; N may be 0.

        Raises:
            FaceaeError: some are not finite.
        """
        if len(latents) == 0:
            return
        if not np.isfinite(latents).all():
            raise FaceaeError(
                "the model encodes some faces as numbers that are not finite: its training "
                "diverged; train again with a lower `lr`"
            )
        z_NZ = latents.astype(np.float64)
        mean_Z = z_NZ.mean(axis=0)
        z_NZ -= mean_Z
        self._add(len(z_NZ), mean_Z, z_NZ.T @ z_NZ)

    def merge(self, other: "LatentMoments") -> None:
        """Add the latents of `other`."""
        if other._count:
            self._add(other._count, other._mean_Z, other._scatter_ZZ)

    def normal_prior(self, *, weights_hash: str, dataset_hash: str) -> NormalPrior:
        """Return the normal distribution of the latents.

        The covariance is the scatter matrix / (n - 1).

        Args:
            weights_hash: hash of the model that encoded the latents.
            dataset_hash: hash of the dataset that they were encoded from.

        Raises:
            FaceaeError: fewer than two latents.
        """
        if self._count < 2:
            raise FaceaeError(
                f"a covariance needs at least 2 faces, got {self._count}; fit on a larger split"
            )
        return NormalPrior(
            mean=self._mean_Z.copy(),
            covariance=self._scatter_ZZ / (self._count - 1),
            count=self._count,
            weights_hash=weights_hash,
            dataset_hash=dataset_hash,
        )

    def _add(
        self, count: int, mean_Z: NDArray[np.float64], scatter_ZZ: NDArray[np.float64]
    ) -> None:
        total = self._count + count
        delta_Z = mean_Z - self._mean_Z
        self._scatter_ZZ += scatter_ZZ
        self._scatter_ZZ += np.outer(delta_Z, delta_Z) * (self._count * count / total)
        self._mean_Z += delta_Z * (count / total)
        self._count = total
