"""Principal directions of latents: those that lead get a mixture or a flow, the rest is normal.

Shapes: N faces, Z latent size, D leading directions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._normal import NormalPrior

MAX_LEADING = 256
"""Most leading directions: their number squared determines the time and the faces of a fit."""
_LEADING_SHARE = 0.99
"""Share of the variance that the leading directions hold, if they are not too many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PrincipalDirections:
    """The eigenvectors of a covariance, in descending order of variance."""

    mean: NDArray[np.float64]
    """Z."""
    basis: NDArray[np.float64]
    """Z x Z. Each row is an eigenvector times its standard deviation."""
    num_leading: int
    """D, at least 1."""

    def whiten(self, z_NZ: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the coordinates of latents in the leading directions, N x D.

        Over the faces that the covariance is of, their mean is 0 and their covariance is 1.
        """
        rows_DZ = self.basis[: self.num_leading]
        scaled_DZ = rows_DZ / np.square(rows_DZ).sum(1, keepdims=True)
        x_ND: NDArray[np.float64] = z_NZ @ scaled_DZ.T - self.mean @ scaled_DZ.T
        return x_ND


def find_directions(normal: NormalPrior, max_leading: int = MAX_LEADING) -> PrincipalDirections:
    """Return the principal directions of a covariance that is not 0.

    The largest number of each eigenvector is positive, so that its sign is defined.
    """
    values_Z, vectors_ZZ = np.linalg.eigh(normal.covariance)
    variance_Z, rows_ZZ = values_Z[::-1].clip(min=0), vectors_ZZ.T[::-1]
    largest_Z1 = np.take_along_axis(rows_ZZ, np.abs(rows_ZZ).argmax(1)[:, None], axis=1)
    rows_ZZ = rows_ZZ * np.sign(largest_Z1)
    share_Z = np.cumsum(variance_Z) / variance_Z.sum()
    num_leading = int(np.searchsorted(share_Z, _LEADING_SHARE)) + 1
    return PrincipalDirections(
        mean=normal.mean,
        basis=rows_ZZ * np.sqrt(variance_Z)[:, None],
        num_leading=min(num_leading, max_leading),
    )
