"""What an exported file says about itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import faceae
from faceae.errors import FaceaeError
from faceae.model import ModelConfig

Kind = Literal["decoder", "generator"]
"""decoder: latents to float faces. generator: noise to uint8 pictures, sampling inside."""

_FORMAT = "faceae-export"
_VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """Where an exported file came from, and how to feed it. Travels inside the file."""

    kind: Kind
    model: ModelConfig
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    dataset_hash: str
    """`shards.Dataset.hash` of the faces the model was trained on."""

    @property
    def input_name(self) -> str:
        """Name of the only input, N x Z float32."""
        return "noise" if self.kind == "generator" else "latents"

    @property
    def output_name(self) -> str:
        """Name of the only output."""
        return "faces"

    def to_metadata(self) -> dict[str, str]:
        """Return it as texts, for a stranger to read and for `from_metadata`."""
        size, latent_size = self.model.image_size, self.model.latent_size
        output, value_range = {
            "decoder": (f"N x 3 x {size} x {size} float32", "[-1, 1]"),
            "generator": (f"N x {size} x {size} x 3 uint8", "0-255"),
        }[self.kind]
        source = {"decoder": "as its encoder gives them", "generator": "standard normal"}[self.kind]
        return {
            "format": _FORMAT,
            "format_version": _VERSION,
            "faceae_version": faceae.__version__,
            "kind": self.kind,
            "model": json.dumps(asdict(self.model)),
            "weights_hash": self.weights_hash,
            "dataset_hash": self.dataset_hash,
            "input": f"{self.input_name}: N x {latent_size} float32, {source}",
            "output": f"{self.output_name}: {output}",
            "value_range": value_range,
            "colour_order": "RGB",
        }

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str]) -> "ExportInfo":
        """Read what `to_metadata` made.

        Raises:
            FaceaeError: naming `path`: it was not written by `faceae export`, or by a later one.
        """
        if metadata.get("format") != _FORMAT:
            raise FaceaeError(f"{path}: not written by `faceae export`; export the run again")
        if metadata.get("format_version") != _VERSION:
            raise FaceaeError(
                f"{path}: export format {metadata.get('format_version')}, where this faceae reads "
                f"{_VERSION}; export the run again"
            )
        try:
            kind = next(kind for kind in get_args(Kind) if kind == metadata["kind"])
            return cls(
                kind=kind,
                model=ModelConfig(**json.loads(metadata["model"])),
                weights_hash=metadata["weights_hash"],
                dataset_hash=metadata["dataset_hash"],
            )
        except (KeyError, StopIteration, TypeError, ValueError) as error:
            raise FaceaeError(f"{path}: its metadata is damaged; export the run again") from error
