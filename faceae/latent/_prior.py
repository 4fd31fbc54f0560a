"""What every prior has: its origin, a sampler, and the tensors and settings that its file holds.

Shapes: N faces, Z latent size.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceae.device import full_float32
from faceae.errors import FaceaeError

PriorKind = Literal["normal", "gmm", "flow", "pairs"]
"""normal: one normal distribution. gmm: a Gaussian mixture. flow: a flow-matching network. pairs:
mixtures of two training faces."""

Tensors = dict[str, NDArray[Any]]
Settings = dict[str, str]

REFIT = "run `faceae fit` again"


class Sampler(ABC):
    """Computes latents from standard normal noise. One row of noise gives one latent vector."""

    @property
    @abstractmethod
    def module(self) -> nn.Module:
        """The same computation in torch, to export.

        `forward(noise, truncation)` takes N x Z float32, and float32 of shape () or N x 1. It
        returns N x Z float32.
        """

    def latents(self, noise: NDArray[np.float32], truncation: float = 1.0) -> NDArray[np.float32]:
        """Return latents, N x Z float32, of standard normal noise, N x Z float32.

        Args:
            truncation: 1 draws latents that vary as the fitted ones do. Above 1 they vary more.
                Below 1 they are closer to the average face, at 0 all are equal.
        """
        with torch.inference_mode(), full_float32():
            z_NZ = self.module(aligned(noise), torch.tensor(truncation))
        result: NDArray[np.float32] = z_NZ.numpy()
        return result


@dataclass(frozen=True, kw_only=True, eq=False)
class Prior(ABC):
    """A distribution of latents that was fitted to a set of faces, and its origin."""

    kind: ClassVar[PriorKind]

    count: int
    """Number of faces it was fitted on."""
    weights_hash: str
    """`faceae.model.weights_hash` of the model. Other weights give the latents another meaning."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces."""

    @abstractmethod
    def sampler(self) -> Sampler:
        """Return what draws latents from it."""

    @abstractmethod
    def describe(self) -> str:
        """Return what was fitted, in one line for a person."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """Return the arrays that its file holds."""

    def settings(self) -> Settings:
        """Return the numbers that its file's metadata holds, as texts."""
        return {}

    @classmethod
    @abstractmethod
    def from_file(cls, tensors: Tensors, settings: Settings, **origin: Any) -> Self:
        """Return the prior of `tensors` and `settings`.

        Args:
            origin: `count`, `weights_hash` and `dataset_hash`.

        Raises:
            KeyError, ValueError: an array or a setting is missing or cannot be right.
        """

    def check_weights(self, weights_hash: str, path: Path) -> None:
        """Raise FaceaeError that names `path`, unless it was fitted on these weights."""
        if weights_hash != self.weights_hash:
            raise FaceaeError(f"{path}: fitted on other weights than the run now has; {REFIT}")


def aligned(array: NDArray[Any]) -> Tensor:
    """Return a copy in torch's memory.

    The kernels of torch round differently where memory is aligned differently.
    """
    return torch.from_numpy(array).clone(memory_format=torch.contiguous_format)


def check_arrays(
    tensors: Tensors, dtype: type[np.floating[Any]], **shapes: tuple[int, ...]
) -> None:
    """Check the dtype and shape of arrays, and that their numbers are finite.

    Raises:
        KeyError, ValueError: an array is missing or not so.
    """
    for name, shape in shapes.items():
        array = tensors[name]
        if array.dtype != dtype:
            raise ValueError(f"`{name}` has numbers of type {array.dtype}")
        if array.shape != shape:
            raise ValueError(f"`{name}` has the shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"`{name}` has numbers that are not finite")
