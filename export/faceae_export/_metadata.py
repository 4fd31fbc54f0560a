"""What an exported file says about itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

import faceae
from faceae.errors import FaceaeError
from faceae.model import ModelConfig

Kind = Literal["decoder", "generator", "encoder", "autoencoder", "morph"]
"""decoder: latents to float faces. generator: noise to uint8 pictures, sampling inside. encoder:
uint8 pictures to latents. autoencoder: uint8 pictures to their reconstructions. morph: two uint8
pictures and a number of frames to the frames from one to the other."""

Precision = Literal["fp32", "fp16", "bf16", "int8"]
"""What the network is computed in: its weights, and what its layers hand on. Inputs, outputs and
the sampling of latents are the same in all."""

FREE = "N"
"""The free first axis: faces at a time."""
STEPS = "steps"
"""The first axis of what a morph returns."""

_FORMAT = "faceae-export"
_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of an exported graph."""

    name: str
    shape: tuple[int | str, ...]
    """() is one number; a name is a size that is free."""
    dtype: str
    """numpy's name."""
    meaning: str

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "one"
        return f"{self.name}: {shape} {self.dtype}, {self.meaning}"

    def fits(self, array: NDArray[Any]) -> bool:
        """Return whether an array has the type and the fixed sizes of this port."""
        return (
            array.dtype == self.dtype
            and array.ndim == len(self.shape)
            and all(
                isinstance(size, str) or size == found
                for size, found in zip(self.shape, array.shape, strict=True)
            )
        )


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """Where an exported file came from, and how to feed it. Travels inside the file."""

    kind: Kind
    model: ModelConfig
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces the model was trained on."""
    crop: int | None
    """Pixels; side of the centre square that photographs are cut to before they are scaled to the
    model's size. None: they are only scaled."""
    precision: Precision = "fp32"
    numbers_as_rows: bool = False
    """Whether inputs that are one number have one a face instead, N x 1 (of a morph, which takes no
    batches, 1): servers that join requests do so along the first axis of every input."""

    @property
    def is_batched(self) -> bool:
        """Whether it takes any number of faces at once; a morph takes two pictures."""
        return self.kind != "morph"

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What goes in, in order."""
        latents = (FREE, self.model.latent_size)
        if self.kind == "decoder":
            meaning = "as its encoder gives them"
            return (Port(name="latents", shape=latents, dtype="float32", meaning=meaning),)
        if self.kind == "generator":
            noise = Port(name="noise", shape=latents, dtype="float32", meaning="standard normal")
            meaning = "1 as fitted, below 1 nearer to the average face"
            return noise, self._number("truncation", "float32", meaning)
        if self.kind == "morph":
            meaning = "frames to return, the two faces among them"
            return self._pictures("images", 2), self._number("steps", "int64", meaning)
        return (self._pictures("images", FREE),)

    @property
    def output(self) -> Port:
        """What comes out."""
        size = self.model.image_size
        if self.kind == "encoder":
            shape = (FREE, self.model.latent_size)
            return Port(name="latents", shape=shape, dtype="float32", meaning="as the decoder's")
        if self.kind == "decoder":
            return Port(
                name="faces", shape=(FREE, 3, size, size), dtype="float32", meaning="[-1, 1], RGB"
            )
        return self._pictures("faces", STEPS if self.kind == "morph" else FREE)

    def feed(self, inputs: tuple[NDArray[Any], ...]) -> dict[str, NDArray[Any]]:
        """Return inputs by name; a number is spread where this file wants one a face."""
        named = {}
        for port, array in zip(self.inputs, inputs, strict=True):
            rows = [len(inputs[0]) if isinstance(size, str) else size for size in port.shape]
            spread = array.ndim == 0 and rows
            named[port.name] = np.full(rows, array, port.dtype) if spread else array
        return named

    def to_metadata(self) -> dict[str, str]:
        """Return it as texts, for a stranger to read and for `from_metadata`."""
        return {
            "format": _FORMAT,
            "format_version": _VERSION,
            "faceae_version": faceae.__version__,
            "kind": self.kind,
            "model": json.dumps(asdict(self.model)),
            "latent_size": str(self.model.latent_size),
            "weights_hash": self.weights_hash,
            "dataset_hash": self.dataset_hash,
            "inputs": "; ".join(map(str, self.inputs)),
            "output": str(self.output),
            "value_range": "[-1, 1]" if self.kind == "decoder" else "0-255",
            "colour_order": "RGB",
            "crop": json.dumps(self.crop),
            "crop_rule": self._describe_crop(),
            "precision": self.precision,
            "numbers_as_rows": json.dumps(self.numbers_as_rows),
            **({"truncation_default": "1.0"} if self.kind == "generator" else {}),
        }

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str]) -> "ExportInfo":
        """Read what `to_metadata` made.

        Raises:
            FaceaeError: naming `path`: it was not written by `faceae export`, or by another
                version of it.
        """
        if metadata.get("format") != _FORMAT:
            raise FaceaeError(f"{path}: not written by `faceae export`; export the run again")
        if metadata.get("format_version") != _VERSION:
            raise FaceaeError(
                f"{path}: export format {metadata.get('format_version')}, where this faceae reads "
                f"{_VERSION}; export the run again"
            )
        try:
            return cls(
                kind=_choose(Kind, metadata["kind"]),
                model=ModelConfig(**json.loads(metadata["model"])),
                weights_hash=metadata["weights_hash"],
                dataset_hash=metadata["dataset_hash"],
                crop=json.loads(metadata["crop"]),
                precision=_choose(Precision, metadata["precision"]),
                numbers_as_rows=json.loads(metadata["numbers_as_rows"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FaceaeError(f"{path}: its metadata is damaged; export the run again") from error

    def _pictures(self, name: str, count: int | str) -> Port:
        size = self.model.image_size
        return Port(name=name, shape=(count, size, size, 3), dtype="uint8", meaning="0-255, RGB")

    def _number(self, name: str, dtype: str, meaning: str) -> Port:
        shape: tuple[int | str, ...] = ()
        if self.numbers_as_rows:
            shape = (FREE, 1) if self.is_batched else (1,)
        return Port(name=name, shape=shape, dtype=dtype, meaning=meaning)

    def _describe_crop(self) -> str:
        size = self.model.image_size
        scale = f"scale the shorter side to {size} pixels (bicubic), keep the centre square"
        return f"keep the centre square of {self.crop} pixels, then {scale}" if self.crop else scale


def _choose(choices: Any, value: str) -> Any:
    if value not in get_args(choices):
        raise ValueError(f"{value} is none of {', '.join(get_args(choices))}")
    return value
