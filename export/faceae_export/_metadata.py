"""The metadata of exported files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

import faceae
from faceae.errors import FaceaeError
from faceae.framing import Framing, choose_framing
from faceae.model import ModelConfig
from faceae_shards.faces import Place

Kind = Literal[
    "decoder",
    "generator",
    "sampler",
    "encoder",
    "autoencoder",
    "morph",
    "editor",
    "latent-editor",
]
"""Part of a model that an export computes.

decoder: float faces from latents. generator: uint8 pictures from noise, with the sampling of
latents inside. sampler: latents from noise. encoder: latents from uint8 pictures. autoencoder:
uint8 reconstructions of uint8 pictures. morph: the frames from one face to another, from two uint8
pictures and the number of frames. editor: uint8 pictures with changed attributes, from uint8
pictures and the strengths of the changes. latent-editor: the same from latents."""

EDITORS: tuple[Kind, ...] = ("editor", "latent-editor")
"""Parts that hold directions."""

Precision = Literal["fp32", "fp16", "bf16", "int8"]
"""Data type of the weights and activations. The precision changes neither the dtypes of inputs and
outputs nor the sampling of latents."""

FREE = "N"
"""Name of the free first axis: the number of faces."""
STEPS = "steps"
"""Name of the first axis of a morph's output: the number of frames."""

_FORMAT = "faceae-export"
_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of an exported graph."""

    name: str
    shape: tuple[int | str, ...]
    """A string is the name of a free axis. () is a single number."""
    dtype: str
    """NumPy's name of the dtype."""
    meaning: str

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "one"
        return f"{self.name}: {shape} {self.dtype}, {self.meaning}"

    def fits(self, array: NDArray[Any]) -> bool:
        """Return whether an array has the dtype and the fixed sizes of this port."""
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
    """The origin of an exported file, its inputs and its output. Stored in the file."""

    kind: Kind
    model: ModelConfig
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the training faces."""
    crop: int | None
    """Side in pixels of the centre square that photographs must be cut to before they are scaled to
    the model's size. None: they are only scaled."""
    aligned: bool | None = None
    """Whether the training faces were framed as CelebA's aligned ones. None: unknown."""
    place: Place | None = None
    """Where faces lie in training images that were not aligned. None: it was not measured."""
    precision: Precision = "fp32"
    numbers_as_rows: bool = False
    """Whether an input that is a single number is stored as one number per face, N x 1 (for a
    morph, as an array of shape (1,)). Servers concatenate requests along the first axis."""
    attributes: tuple[str, ...] = ()
    """Attributes that an editor changes, in the order of its strengths."""

    @property
    def is_batched(self) -> bool:
        """Whether the number of faces is free. A morph takes exactly two pictures."""
        return self.kind != "morph"

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs, in order."""
        latents = (FREE, self.model.latent_size)
        if self.kind == "decoder":
            meaning = "as its encoder gives them"
            return (Port(name="latents", shape=latents, dtype="float32", meaning=meaning),)
        if self.kind in ("generator", "sampler"):
            noise = Port(name="noise", shape=latents, dtype="float32", meaning="standard normal")
            meaning = "1 as fitted, below 1 nearer to the average face"
            return noise, self._number("truncation", "float32", meaning)
        if self.kind == "morph":
            meaning = "frames to return, the two faces among them"
            return self._pictures("images", 2), self._number("steps", "int64", meaning)
        if self.kind == "latent-editor":
            meaning = "as its encoder gives them"
            port = Port(name="latents", shape=latents, dtype="float32", meaning=meaning)
            return port, self._strengths()
        images = self._pictures("images", FREE)
        return (images, self._strengths()) if self.kind == "editor" else (images,)

    def frame(self, align: bool | None = None) -> Framing:
        """Return how to frame photographs for this model; see `faceae.framing.choose_framing`."""
        return choose_framing(
            crop=self.crop, aligned=self.aligned, place=self.place, asked_align=align
        )

    @property
    def output(self) -> Port:
        """The output."""
        size = self.model.image_size
        if self.kind in ("encoder", "sampler"):
            shape = (FREE, self.model.latent_size)
            return Port(name="latents", shape=shape, dtype="float32", meaning="as the decoder's")
        if self.kind == "decoder":
            return Port(
                name="faces", shape=(FREE, 3, size, size), dtype="float32", meaning="[-1, 1], RGB"
            )
        return self._pictures("faces", STEPS if self.kind == "morph" else FREE)

    def feed(self, inputs: tuple[NDArray[Any], ...]) -> dict[str, NDArray[Any]]:
        """Return the inputs by name.

        A single number is repeated for each face if `numbers_as_rows` says so.
        """
        named = {}
        for port, array in zip(self.inputs, inputs, strict=True):
            rows = [len(inputs[0]) if isinstance(size, str) else size for size in port.shape]
            spread = array.ndim == 0 and rows
            named[port.name] = np.full(rows, array, port.dtype) if spread else array
        return named

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata as strings, for readers without faceae and for `from_metadata`."""
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
            **({} if self.aligned is None else {"aligned": json.dumps(self.aligned)}),
            **({} if self.place is None else {"place": json.dumps(asdict(self.place))}),
            "precision": self.precision,
            "numbers_as_rows": json.dumps(self.numbers_as_rows),
            **({"truncation_default": "1.0"} if self.kind in ("generator", "sampler") else {}),
            **({"attributes": json.dumps(self.attributes)} if self.kind in EDITORS else {}),
        }

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str]) -> "ExportInfo":
        """Read the strings of `to_metadata`.

        Args:
            path: the file that holds them, for error messages.

        Raises:
            FaceaeError: they are damaged, not from `faceae export`, or of another version of it.
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
                aligned=json.loads(metadata.get("aligned", "null")),
                place=_read_place(metadata.get("place")),
                precision=_choose(Precision, metadata["precision"]),
                numbers_as_rows=json.loads(metadata["numbers_as_rows"]),
                attributes=tuple(json.loads(metadata.get("attributes", "[]"))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FaceaeError(f"{path}: its metadata is damaged; export the run again") from error

    def _pictures(self, name: str, count: int | str) -> Port:
        size = self.model.image_size
        return Port(name=name, shape=(count, size, size, 3), dtype="uint8", meaning="0-255, RGB")

    def _strengths(self) -> Port:
        shape = (FREE, len(self.attributes))
        meaning = "one for each of the metadata's attributes; 0 changes nothing"
        return Port(name="strengths", shape=shape, dtype="float32", meaning=meaning)

    def _number(self, name: str, dtype: str, meaning: str) -> Port:
        shape: tuple[int | str, ...] = ()
        if self.numbers_as_rows:
            shape = (FREE, 1) if self.is_batched else (1,)
        return Port(name=name, shape=shape, dtype=dtype, meaning=meaning)

    def _describe_crop(self) -> str:
        size = self.model.image_size
        scale = f"scale the shorter side to {size} pixels (bicubic), keep the centre square"
        return f"keep the centre square of {self.crop} pixels, then {scale}" if self.crop else scale


def _read_place(text: str | None) -> Place | None:
    return None if text is None else Place.from_json(json.loads(text))


def _choose(choices: Any, value: str) -> Any:
    if value not in get_args(choices):
        raise ValueError(f"{value} is none of {', '.join(get_args(choices))}")
    return value
