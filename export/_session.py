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

MICRO_BATCH = 32
"""Faces a CPU computes at once: enough to share the reading of the weights, few enough for what the
layers hand on to stay in its cache. Measured by `benchmarks/generate.py`; a GPU takes batches as
they come."""


class Session(Protocol):
    """A decoder or generator, ready to run."""

    info: ExportInfo
    """What it is."""
    engine: str
    """What it runs in and on, for a person to read."""

    def run(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Return the faces of latents (a decoder) or noise (a generator), N x Z float32.

        A decoder's are N x 3 x S x S float32 in [-1, 1], a generator's N x S x S x 3 uint8; RGB,
        contiguous. Large batches are computed in pieces where that is faster.
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
        return _in_pieces(OnnxSession(path, device), device)
    if path.suffix in TORCHSCRIPT_SUFFIXES:
        return _in_pieces(open_torchscript(path, device), device)
    suffixes = ", ".join(ONNX_SUFFIXES + TORCHSCRIPT_SUFFIXES)
    raise FaceaeError(f"{path}: an exported file ends in one of {suffixes}")


def open_model(source: ExportSource, kind: Kind, device: torch.device) -> Session:
    """Run a model that was not exported, on `device`, as fast as its exports.

    Raises:
        FaceaeError: a generator of latents that were not fitted.
    """
    module = source.build(kind, rewrite_decoder(source.model.decoder))
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _in_pieces(TorchSession(module, source.describe(kind), device, "the model"), device)


def _in_pieces(session: Session, device: torch.device) -> Session:
    return _MicroBatches(session) if device.type == "cpu" else session


class _MicroBatches:
    """A session that computes `MICRO_BATCH` faces at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.info = session.info
        self.engine = session.engine

    def run(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Return the faces of `inputs`; see `Session`."""
        first = self._session.run(inputs[:MICRO_BATCH])
        if len(inputs) <= MICRO_BATCH:
            return first
        faces = np.empty((len(inputs), *first.shape[1:]), first.dtype)
        faces[:MICRO_BATCH] = first
        for start in range(MICRO_BATCH, len(inputs), MICRO_BATCH):
            piece = slice(start, start + MICRO_BATCH)
            faces[piece] = self._session.run(inputs[piece])
        return faces
