"""RUN/directions.safetensors: changes of latents that change attributes of faces.

Shapes: N faces, K attributes, Z latent size.
"""

import dataclasses
import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae_shards import atomic_path

from ._classifier import ClassifierKind

_METADATA_KEY = "faceae_directions"
"""The only metadata key, since safetensors writes several keys in a random order."""
_VERSION = 1
_REFIT = "run `faceae directions` again"
_TENSORS = ("vectors", "normals", "offsets", "limits")


@dataclass(frozen=True, kw_only=True)
class Direction:
    """How a direction was found, and how well its classifier recognises held-out faces."""

    name: str
    classifier: ClassifierKind
    accuracy: float
    """Balanced accuracy: mean of the shares of yes and of no that are recognised; 0.5 is chance."""
    auc: float
    """Area under the ROC curve."""
    num_positive: int
    """Training faces that have the attribute."""
    num_negative: int
    keep: tuple[str, ...] = ()
    """Attributes whose scores the direction does not change."""
    keep_identity: bool = False
    """Whether the direction also keeps what distinguishes persons."""
    share_left: float = 1.0
    """What the kept scores leave of the attribute, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An attribute without a direction."""

    name: str
    reason: str
    accuracy: float | None
    """Balanced accuracy on held-out faces; None: not measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Directions:
    """Directions of a model's latents."""

    found: tuple[Direction, ...]
    refused: tuple[Refusal, ...]
    vectors: NDArray[np.float32]
    """K x Z: what strength 1 adds to latents. It changes the score of the direction's classifier by
    the difference between the mean scores of both classes."""
    normals: NDArray[np.float32]
    """K x Z, of the classifiers, scaled so that scores of training faces have a variance of 1."""
    offsets: NDArray[np.float32]
    """K: products of the normals and the mean of the training faces, whose scores thus are 0."""
    limits: NDArray[np.float32]
    """K: largest absolute score of a training face."""
    weights_hash: str
    """`faceae.model.weights_hash` of the model. Other weights give the latents another meaning."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces that the directions were found on."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the directions, in order."""
        return tuple(direction.name for direction in self.found)

    def index(self, name: str) -> int:
        """Return the place of a direction.

        Raises:
            FaceaeError: there is none of this name; says why, or suggests the nearest name.
        """
        if name in self.names:
            return self.names.index(name)
        for refusal in self.refused:
            if refusal.name == name:
                raise FaceaeError(f"{name} has no direction: {refusal.reason}")
        refused = (refusal.name for refusal in self.refused)
        return find_name(name, (*self.names, *refused), "directions")

    def change(self, strengths: Mapping[str, float]) -> NDArray[np.float32]:
        """Return what to add to latents, Z.

        Args:
            strengths: by name. 1 is the distance between the faces without and with the attribute.

        Raises:
            FaceaeError: an unknown name, or a strength that is not finite.
        """
        change_Z = np.zeros(self.vectors.shape[1], np.float32)
        for name, strength in strengths.items():
            if not np.isfinite(strength):
                raise FaceaeError(f"the strength of {name} must be a finite number, got {strength}")
            change_Z += np.float32(strength) * self.vectors[self.index(name)]
        return change_Z

    def score(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores of N x Z latents, N x K, in standard deviations of the training faces."""
        scores_NK: NDArray[np.float32] = latents @ self.normals.T - self.offsets
        return scores_NK

    def take(self, names: Collection[str]) -> "Directions":
        """Return the directions of some names, in their order, without refusals."""
        rows = [row for row, name in enumerate(self.names) if name in names]
        tensors: dict[str, Any] = {name: getattr(self, name)[rows] for name in _TENSORS}
        found = tuple(self.found[row] for row in rows)
        return dataclasses.replace(self, found=found, refused=(), **tensors)

    def put(self, new: "Directions") -> "Directions":
        """Return these directions with those of another set added, or replaced by name."""
        kept = self.take(set(self.names) - set(new.names))
        tensors: dict[str, Any] = {
            name: np.concatenate([getattr(kept, name), getattr(new, name)]) for name in _TENSORS
        }
        refused = [refusal for refusal in self.refused if refusal.name not in new.names]
        return dataclasses.replace(
            self,
            found=(*kept.found, *new.found),
            refused=(*refused, *new.refused),
            **tensors,
        )

    def save(self, path: Path) -> None:
        """Write a safetensors file. It appears complete or not at all."""
        record = {
            "version": _VERSION,
            "found": [dataclasses.asdict(direction) for direction in self.found],
            "refused": [dataclasses.asdict(refusal) for refusal in self.refused],
            "weights_hash": self.weights_hash,
            "dataset_hash": self.dataset_hash,
        }
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}
        with atomic_path(path) as part:
            part.write_bytes(safetensors.numpy.save(tensors, {_METADATA_KEY: json.dumps(record)}))

    @classmethod
    def load(cls, path: Path) -> "Directions":
        """Read what `save` wrote.

        Raises:
            FaceaeError: the file is missing, damaged, foreign, or of another version.
        """
        if not path.is_file():
            raise FaceaeError(f"{path}: no such file; `faceae directions RUN DATA` writes it")
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if _METADATA_KEY not in metadata:
                    raise FaceaeError(f"{path}: not written by `faceae directions`; {_REFIT}")
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
            record = json.loads(metadata[_METADATA_KEY])
            version = record.pop("version")
            if version != _VERSION:
                raise FaceaeError(
                    f"{path}: version {version}, where this faceae reads {_VERSION}; {_REFIT}"
                )
            found = tuple(_read_direction(fields) for fields in record.pop("found"))
            refused = tuple(Refusal(**fields) for fields in record.pop("refused"))
            _check_tensors(tensors, len(found))
            return cls(found=found, refused=refused, **tensors, **record)
        except FaceaeError:
            raise
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise FaceaeError(f"{path}: damaged ({error}); {_REFIT}") from error

    def check_weights(self, weights_hash: str, path: Path) -> None:
        """Raise FaceaeError that names `path`, unless the directions belong to these weights."""
        if weights_hash != self.weights_hash:
            raise FaceaeError(f"{path}: found for other weights than the run now has; {_REFIT}")


def find_name(name: str, known: Sequence[str], what: str) -> int:
    """Return the place of an attribute among known ones.

    Args:
        what: what holds the names, for the message.

    Raises:
        FaceaeError: it is not there; suggests a name that is spelled alike, or lists all.
    """
    if name in known:
        return list(known).index(name)
    raise FaceaeError(f"{what}: there is no attribute {name!r}{_suggest(name, known)}")


def _suggest(name: str, known: Sequence[str]) -> str:
    if not known:
        return ", which holds none at all"
    spelled = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), spelled, n=1)
    return f"; did you mean {spelled[near[0]]}?" if near else f"; choose from {', '.join(known)}"


def _read_direction(fields: dict[str, Any]) -> Direction:
    return Direction(**{**fields, "keep": tuple(fields["keep"])})


def _check_tensors(tensors: dict[str, NDArray[Any]], count: int) -> None:
    matrix = (count, *tensors["vectors"].shape[1:2])
    for name, tensor in tensors.items():
        shape = matrix if name in ("vectors", "normals") else (count,)
        if tensor.dtype != np.float32 or tensor.shape != shape:
            raise ValueError(f"{name} of {tensor.shape} {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} has numbers that are not finite")
