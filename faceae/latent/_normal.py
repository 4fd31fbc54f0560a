"""A normal distribution of latents.

Shapes: N faces, Z latent size.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._prior import Prior, PriorKind, Sampler, Settings, Tensors, check_arrays

_MIN_DEVIATION = 1e-4
"""Directions with a smaller standard deviation, relative to the largest, count as constant."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalPrior(Prior):
    """Mean and covariance of the latents of a set of faces."""

    kind: ClassVar[PriorKind] = "normal"

    mean: NDArray[np.float64]
    """Z."""
    covariance: NDArray[np.float64]
    """Z x Z, symmetric, normalised by count - 1."""

    def sampler(self) -> "NormalSampler":
        """Return what draws latents from it."""
        return NormalSampler(self)

    def describe(self) -> str:
        """Return what was fitted, in one line for a person."""
        return f"mean and covariance of {self.mean.size} latent numbers"

    def tensors(self) -> Tensors:
        """Return mean and covariance."""
        return {"mean": self.mean, "covariance": self.covariance}

    @classmethod
    def from_file(cls, tensors: Tensors, settings: Settings, **origin: Any) -> Self:
        """Return the prior of a mean and a covariance; see `Prior.from_file`."""
        size = tensors["mean"].size
        check_arrays(tensors, np.float64, mean=(size,), covariance=(size, size))
        return cls(mean=tensors["mean"], covariance=tensors["covariance"], **origin)


class NormalSampler(Sampler):
    """Draws latents from a fitted normal distribution: z = mean + truncation * F e.

    F is the symmetric square root of the covariance, V sqrt(max(lambda, 0)) V^T, from its
    eigendecomposition in float64. Unlike V sqrt(lambda) it does not depend on the sign and choice
    of eigenvectors, in which linear algebra libraries differ. So the same number gives the same
    face on every machine. Eigenvalues that rounding made negative count as 0.
    """

    def __init__(self, prior: NormalPrior) -> None:
        values_Z, vectors_ZZ = np.linalg.eigh(prior.covariance)
        factor_ZZ = (vectors_ZZ * np.sqrt(values_Z.clip(min=0))) @ vectors_ZZ.T
        self.mean = prior.mean.astype(np.float32)
        """Z, float32."""
        self.factor = factor_ZZ.astype(np.float32)
        """F, Z x Z, float32, symmetric."""

    @cached_property
    def module(self) -> nn.Module:
        """The same computation in torch; see `Sampler.module`."""
        return _Affine(torch.from_numpy(self.mean), torch.from_numpy(self.factor.T.copy()))

    def latents(self, noise: NDArray[np.float32], truncation: float = 1.0) -> NDArray[np.float32]:
        """Return latents, N x Z float32; see `Sampler.latents`. Truncation scales F e."""
        z_NZ: NDArray[np.float32] = self.mean + (np.float32(truncation) * noise) @ self.factor.T
        return z_NZ

    def noise(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the noise that `latents` turns into given latents, N x Z float32.

        What a latent has in directions without variance is lost.
        """
        e_NZ: NDArray[np.float64] = (latents.astype(np.float64) - self.mean) @ self._inverse
        return e_NZ.astype(np.float32)

    @cached_property
    def _inverse(self) -> NDArray[np.float64]:
        factor_ZZ = self.factor.astype(np.float64)
        return np.linalg.pinv(factor_ZZ, rcond=_MIN_DEVIATION, hermitian=True)


class _Affine(nn.Module):
    mean: Tensor
    factor: Tensor

    def __init__(self, mean: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("factor", factor)

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        return torch.addmm(self.mean, noise * truncation, self.factor)
