"""One way to run a model, whatever runs it."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError

from ._info import ExportInfo, Kind
from ._modules import ExportSource
from ._onnx import OnnxSession
from ._rewrite import rewrite_decoder
from ._torchscript import TorchSession, open_torchscript

ONNX_SUFFIXES = (".onnx",)
TORCHSCRIPT_SUFFIXES = (".ts", ".pt")


class Session(Protocol):
    """A decoder or generator, ready to run."""

    info: ExportInfo
    """What it is."""
    engine: str
    """What it runs in and on, for a person to read."""

    def run(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Return the faces of latents (a decoder) or noise (a generator), N x Z float32.

        A decoder's are N x 3 x S x S float32 in [-1, 1], a generator's N x S x S x 3 uint8; RGB,
        contiguous.
        """
        ...


def open_session(path: Path, device: torch.device) -> Session:
    """Open a file written by `faceae export`, to run on `device` and nowhere else.

    A TorchScript archive holds code, which torch runs: open only what comes from someone you
    trust. An ONNX file holds none. What the file is follows from its suffix.

    Raises:
        FaceaeError: a missing, truncated or foreign file, another suffix, or a device that its
            runtime cannot use.
    """
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae export` writes one")
    if path.suffix in ONNX_SUFFIXES:
        return OnnxSession(path, device)
    if path.suffix in TORCHSCRIPT_SUFFIXES:
        return open_torchscript(path, device)
    suffixes = ", ".join(ONNX_SUFFIXES + TORCHSCRIPT_SUFFIXES)
    raise FaceaeError(f"{path}: an exported file ends in one of {suffixes}")


def open_model(source: ExportSource, kind: Kind, device: torch.device) -> Session:
    """Run a model that was not exported, on `device`, as fast as its exports.

    Raises:
        FaceaeError: a generator of latents that were not fitted.
    """
    module = source.build(kind, rewrite_decoder(source.model.decoder))
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TorchSession(module, source.describe(kind), device, "the model")
