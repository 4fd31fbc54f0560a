"""How a set of vectors is spread: mean and principal axes.

Shapes: N vectors, Z numbers of a vector.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """Mean and eigendecomposition of the covariance of vectors, in float64."""

    mean: NDArray[np.float64]
    """Z."""
    variances: NDArray[np.float64]
    """Z, ascending, at least 0."""
    axes: NDArray[np.float64]
    """Z x Z, orthonormal columns in the order of `variances`."""

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> "Spread":
        """Return the spread of N x Z vectors, N at least 2."""
        mean_Z = vectors.mean(axis=0, dtype=np.float64)
        centred_NZ = vectors - mean_Z
        values_Z, axes_ZZ = np.linalg.eigh(centred_NZ.T @ centred_NZ / (len(vectors) - 1))
        return cls(mean=mean_Z, variances=values_Z.clip(min=0), axes=axes_ZZ)

    @property
    def mean_variance(self) -> float:
        """Mean of the variances along all axes."""
        return float(self.variances.mean())

    def scale(self, ridge: float) -> NDArray[np.float64]:
        """Return sqrt(variance + ridge x mean variance) for each axis, Z."""
        floor = max(ridge * self.mean_variance, np.finfo(np.float64).tiny)
        return np.sqrt(self.variances + floor)

    def to_axes(self, vectors: NDArray[np.floating], ridge: float) -> NDArray[np.float64]:
        """Return vectors along the axes, centred and divided by `scale`, N x Z."""
        coordinates: NDArray[np.float64] = (vectors - self.mean) @ self.axes / self.scale(ridge)
        return coordinates

    def normals(self, coefficients: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
        """Return normals K x Z of vectors from K x Z coefficients of what `to_axes` returns."""
        normals_KZ: NDArray[np.float64] = coefficients / self.scale(ridge) @ self.axes.T
        return normals_KZ

    def half(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return vectors, Z or K x Z, multiplied by the symmetric root of the covariance."""
        product: NDArray[np.float64] = (vectors @ self.axes * np.sqrt(self.variances)) @ self.axes.T
        return product
