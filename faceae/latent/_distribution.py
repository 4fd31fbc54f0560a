"""The distribution of a model's latents, and its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae_shards import atomic_path

_FORMAT = "faceae-latents"
_VERSION = "1"
_REFIT = "run `faceae fit` again"


@dataclass(frozen=True, kw_only=True, eq=False)
class LatentDistribution:
    """Mean and covariance of the latents of a set of faces, and their origin."""

    mean: NDArray[np.float64]
    """Z."""
    covariance: NDArray[np.float64]
    """Z x Z, symmetric, normalised by count - 1."""
    count: int
    """Number of faces it was fitted on."""
    weights_hash: str
    """`faceae.model.weights_hash` of the model. Other weights give the latents another meaning."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces."""

    def save(self, path: Path) -> None:
        """Write a safetensors file. It appears complete or not at all."""
        tensors = {"mean": self.mean, "covariance": self.covariance}
        metadata = {
            "format": _FORMAT,
            "version": _VERSION,
            "count": str(self.count),
            "weights_hash": self.weights_hash,
            "dataset_hash": self.dataset_hash,
        }
        with atomic_path(path) as part:
            part.write_bytes(safetensors.numpy.save(tensors, metadata))

    @classmethod
    def load(cls, path: Path) -> "LatentDistribution":
        """Read what `save` wrote.

        Raises:
            FaceaeError: the file is missing, damaged, foreign, or of another version.
        """
        if not path.is_file():
            raise FaceaeError(f"{path}: no such file; `faceae fit RUN DATA` writes it")
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                _check_format(path, metadata)
                mean, covariance = file.get_tensor("mean"), file.get_tensor("covariance")
        except safetensors.SafetensorError as error:
            raise FaceaeError(f"{path}: damaged ({error}); {_REFIT}") from error
        try:
            count = int(metadata["count"])
            hashes = {name: metadata[name] for name in ("weights_hash", "dataset_hash")}
            _check_values(mean, covariance, count)
        except (KeyError, ValueError) as error:
            raise FaceaeError(f"{path}: damaged ({error}); {_REFIT}") from error
        return cls(mean=mean, covariance=covariance, count=count, **hashes)

    def check_weights(self, weights_hash: str, path: Path) -> None:
        """Raise FaceaeError that names `path`, unless it was fitted on these weights."""
        if weights_hash != self.weights_hash:
            raise FaceaeError(f"{path}: fitted on other weights than the run now has; {_REFIT}")


def _check_format(path: Path, metadata: dict[str, str]) -> None:
    if metadata.get("format") != _FORMAT:
        raise FaceaeError(f"{path}: not written by `faceae fit`; {_REFIT}")
    if metadata.get("version") != _VERSION:
        raise FaceaeError(
            f"{path}: version {metadata.get('version')}, where this faceae reads {_VERSION}; "
            f"{_REFIT}"
        )


def _check_values(mean: NDArray[Any], covariance: NDArray[Any], count: int) -> None:
    if mean.dtype != np.float64 or covariance.dtype != np.float64:
        raise ValueError(f"numbers of type {mean.dtype} and {covariance.dtype}")
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise ValueError(f"a mean of shape {mean.shape}, a covariance of {covariance.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError("numbers that are not finite")
    if count < 2:
        raise ValueError(f"fitted on {count} faces")
