"""A Gaussian mixture on the leading principal directions of latents.

Shapes: N faces, Z latent size, D leading directions, C components.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._prior import Prior, PriorKind, Sampler, Settings, Tensors, aligned, check_arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class MixturePrior(Prior):
    """Normal components with full covariances on D principal directions; the rest is normal.

    The last number of a face's noise only chooses its component: it is compared with `bounds`.
    This comparison is exact, so every engine takes the same component. In exchange, the direction
    of the least variance, which this number would scale, stays at its mean.
    """

    kind: ClassVar[PriorKind] = "gmm"

    mean: NDArray[np.float32]
    """Z. Mean of the latents."""
    basis: NDArray[np.float32]
    """Z - 1 x Z. Principal directions times their standard deviations, most variance first."""
    bounds: NDArray[np.float32]
    """C - 1, ascending: quantiles of the standard normal distribution at the cumulative weights."""
    shifts: NDArray[np.float32]
    """C x D. Means of the components, in standard deviations along the directions."""
    factors: NDArray[np.float32]
    """C x D x D. Cholesky factors of the components' covariances, lower triangular."""
    gain_nats: float
    """Log-likelihood of a held-out face, less that by one normal distribution."""

    def sampler(self) -> "MixtureSampler":
        """Return what draws latents from it."""
        return MixtureSampler(self)

    def describe(self) -> str:
        """Return what was fitted, in one line for a person."""
        num_components, num_leading = self.shifts.shape
        return (
            f"mixture of {num_components} normal distributions on {num_leading} of {self.mean.size}"
            f" directions; a held-out face is {self.gain_nats:+.2f} nats likelier than by one"
        )

    def tensors(self) -> Tensors:
        """Return the arrays."""
        names = ("mean", "basis", "bounds", "shifts", "factors")
        return {name: np.ascontiguousarray(getattr(self, name)) for name in names}

    def settings(self) -> Settings:
        """Return the held-out gain."""
        return {"gain_nats": repr(self.gain_nats)}

    @classmethod
    def from_file(cls, tensors: Tensors, settings: Settings, **origin: Any) -> Self:
        """Return the mixture of these arrays; see `Prior.from_file`."""
        size = tensors["mean"].size
        num_components, num_leading = tensors["shifts"].shape
        check_arrays(
            tensors,
            np.float32,
            mean=(size,),
            basis=(size - 1, size),
            bounds=(num_components - 1,),
            shifts=(num_components, num_leading),
            factors=(num_components, num_leading, num_leading),
        )
        if not 1 <= num_leading < size:
            raise ValueError(f"a mixture on {num_leading} of {size} directions")
        return cls(
            mean=tensors["mean"],
            basis=tensors["basis"],
            bounds=tensors["bounds"],
            shifts=tensors["shifts"],
            factors=tensors["factors"],
            gain_nats=float(settings["gain_nats"]),
            **origin,
        )


class MixtureSampler(Sampler):
    """Draws latents from a mixture. Truncation scales their distance to the mean of all latents."""

    def __init__(self, prior: MixturePrior) -> None:
        self._prior = prior

    @cached_property
    def module(self) -> nn.Module:
        """The computation in torch; see `Sampler.module`."""
        return _Mixture(self._prior)


class _Mixture(nn.Module):
    mean: Tensor
    basis: Tensor
    lower: Tensor
    upper: Tensor
    shifts: Tensor
    factors: Tensor

    def __init__(self, prior: MixturePrior) -> None:
        super().__init__()
        # Tracing turns the sizes of tensors into tensors.
        self.num_components, self.num_leading = prior.shifts.shape
        self.has_rest = self.num_leading < len(prior.basis)
        largest = np.finfo(np.float32).max
        buffers = {
            "mean": prior.mean,
            "basis": prior.basis,
            "lower": np.concatenate([[-largest], prior.bounds]),
            "upper": np.concatenate([prior.bounds, [largest]]),
            "shifts": prior.shifts,
            "factors": prior.factors.reshape(-1, prior.shifts.shape[1]).T,
        }
        for name, array in buffers.items():
            self.register_buffer(name, aligned(array.astype(np.float32)))

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        choice_N1 = noise[:, -1:]
        chosen_NC = ((choice_N1 > self.lower) & (choice_N1 <= self.upper)).float()
        # Engines multiply by one matrix faster than by another matrix for each face.
        by_component_NCD = (noise[:, : self.num_leading] @ self.factors).reshape(
            -1, self.num_components, self.num_leading
        )
        x_ND = ((by_component_NCD + self.shifts) * chosen_NC[:, :, None]).sum(1)
        if self.has_rest:
            x_ND = torch.cat([x_ND, noise[:, self.num_leading : -1]], 1)
        return torch.addmm(self.mean, x_ND * truncation, self.basis)
