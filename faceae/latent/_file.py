"""The file of a prior: safetensors, whose metadata holds the kind of the prior and its origin."""

from pathlib import Path

import safetensors
import safetensors.numpy

from faceae.errors import FaceaeError
from faceae_shards import atomic_path, count_of

from ._flow import FlowPrior
from ._mixture import MixturePrior
from ._normal import NormalPrior
from ._pairs import PairsPrior
from ._prior import REFIT, Prior, PriorKind, Settings, Tensors

_FORMAT = "faceae-latents"
_VERSION = "2"
_FIRST_VERSION = "1"
"""Files of version 1 hold a normal distribution and do not say so."""

_PRIORS: dict[PriorKind, type[Prior]] = {
    prior.kind: prior for prior in (NormalPrior, MixturePrior, FlowPrior, PairsPrior)
}


def save_prior(prior: Prior, path: Path) -> None:
    """Write a prior to a safetensors file. It appears complete or not at all."""
    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": prior.kind,
        "count": str(prior.count),
        "weights_hash": prior.weights_hash,
        "dataset_hash": prior.dataset_hash,
        **prior.settings(),
    }
    with atomic_path(path) as part:
        part.write_bytes(safetensors.numpy.save(prior.tensors(), metadata))


def load_prior(path: Path) -> Prior:
    """Read what `save_prior`, or an earlier faceae, wrote.

    Raises:
        FaceaeError: the file is missing, damaged, foreign, or of a later version.
    """
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae fit RUN DATA` writes it")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            prior = _choose_kind(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FaceaeError(f"{path}: damaged ({error}); {REFIT}") from error
    try:
        return _read(prior, tensors, metadata)
    except (KeyError, ValueError) as error:
        raise FaceaeError(f"{path}: damaged ({error}); {REFIT}") from error


def _choose_kind(path: Path, metadata: Settings) -> type[Prior]:
    if metadata.get("format") != _FORMAT:
        raise FaceaeError(f"{path}: not written by `faceae fit`; {REFIT}")
    version = metadata.get("version")
    if version not in (_FIRST_VERSION, _VERSION):
        raise FaceaeError(
            f"{path}: version {version}, where this faceae reads up to {_VERSION}; {REFIT}"
        )
    kind = "normal" if version == _FIRST_VERSION else metadata.get("kind")
    for known, prior in _PRIORS.items():
        if kind == known:
            return prior
    raise FaceaeError(f"{path}: holds a prior of the unknown kind {kind!r}; {REFIT}")


def _read(prior: type[Prior], tensors: Tensors, metadata: Settings) -> Prior:
    count = int(metadata["count"])
    if count < 2:
        raise ValueError(f"fitted on {count_of(count, 'face')}")
    hashes = {name: metadata[name] for name in ("weights_hash", "dataset_hash")}
    return prior.from_file(tensors, metadata, count=count, **hashes)
