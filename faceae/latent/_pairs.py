"""New latents from pairs of training faces.

Shapes: N faces, Z latent size, F training faces.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._held_out import check_latents
from ._normal import NormalPrior
from ._prior import Prior, PriorKind, Sampler, Settings, Tensors, aligned, check_arrays

_MAX_FACES = 8192
"""Most training faces whose latents are kept, in the file and in every exported generator."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairsPrior(Prior):
    """Mixtures of two training faces that are drawn at random.

    For latents a and b, mean + (a - mean) / sqrt(2) + (b - mean) / sqrt(2) has the mean and the
    covariance of the latents that are kept. It is nearer to their distribution than a normal one,
    without a model of it. The last two numbers of a face's noise choose a and b, which are the same
    face with a chance of 1 / F: they are compared with `bounds`. This comparison is exact in
    float32, so every engine takes the same pair. The other numbers are not used.
    """

    kind: ClassVar[PriorKind] = "pairs"

    mean: NDArray[np.float32]
    """Z. Mean of the latents."""
    halves: NDArray[np.float32]
    """F x Z. Latents of training faces, less the mean, over sqrt(2)."""
    bounds: NDArray[np.float32]
    """F - 1, ascending: quantiles of the standard normal distribution at 1 / F, 2 / F, ..."""

    def sampler(self) -> "PairsSampler":
        """Return what draws latents from it."""
        return PairsSampler(self)

    def describe(self) -> str:
        """Return what was fitted, in one line for a person."""
        return (
            f"pairs of {len(self.halves):,} training faces, whose latents this file and exported "
            "generators hold"
        )

    def tensors(self) -> Tensors:
        """Return the arrays."""
        return {"mean": self.mean, "halves": self.halves, "bounds": self.bounds}

    @classmethod
    def from_file(cls, tensors: Tensors, settings: Settings, **origin: Any) -> Self:
        """Return the prior of these arrays; see `Prior.from_file`."""
        size, num_faces = tensors["mean"].size, len(tensors["halves"])
        check_arrays(
            tensors, np.float32, mean=(size,), halves=(num_faces, size), bounds=(num_faces - 1,)
        )
        if size < 2:
            raise ValueError("pairs of latents of one number")
        return cls(
            mean=tensors["mean"], halves=tensors["halves"], bounds=tensors["bounds"], **origin
        )


def fit_pairs(latents_NZ: NDArray[np.float32], normal: NormalPrior) -> PairsPrior:
    """Keep latents, N x Z, to draw pairs from: evenly spaced ones, if there are very many.

    Args:
        normal: mean and covariance of `latents_NZ`, and their origin.

    Raises:
        FaceaeError: too few faces, a latent size of 1, or all latents are equal.
    """
    check_latents("pairs", latents_NZ, normal)
    num_faces = min(len(latents_NZ), _MAX_FACES)
    kept_FZ = latents_NZ[np.arange(num_faces) * len(latents_NZ) // num_faces]
    shares = torch.arange(1, num_faces, dtype=torch.float64) / num_faces
    return PairsPrior(
        mean=normal.mean.astype(np.float32),
        halves=((kept_FZ - normal.mean) / math.sqrt(2.0)).astype(np.float32),
        bounds=torch.special.ndtri(shares).float().numpy(),
        count=normal.count,
        weights_hash=normal.weights_hash,
        dataset_hash=normal.dataset_hash,
    )


class PairsSampler(Sampler):
    """Draws latents from pairs. Truncation scales their distance to the mean of all latents."""

    def __init__(self, prior: PairsPrior) -> None:
        self._prior = prior

    @cached_property
    def module(self) -> nn.Module:
        """The computation in torch; see `Sampler.module`."""
        return _Pairs(self._prior)


class _Pairs(nn.Module):
    mean: Tensor
    halves: Tensor
    bounds: Tensor

    def __init__(self, prior: PairsPrior) -> None:
        super().__init__()
        for name, array in prior.tensors().items():
            self.register_buffer(name, aligned(array))

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        # Sums of ones are exact in float32, which every engine can add up.
        first_N, second_N = (
            (noise[:, place, None] > self.bounds).float().sum(1).long() for place in (-2, -1)
        )
        return self.mean + truncation * (self.halves[first_N] + self.halves[second_N])
