"""Every engine that runs exported files: its format, and how to open a file in it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from faceae.errors import FaceaeError

from ..formats import (
    FORMATS,
    FormatName,
    OnnxSession,
    OpenVinoSession,
    open_pt2,
    open_serial_onnx,
    open_torchscript,
)
from ..sessions import Session

EngineName = Literal["torch", "onnxruntime", "tensorrt", "torchscript", "pt2", "openvino"]
"""torch runs a model without an export. Each of the others runs an exported file."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine for exported files."""

    format: FormatName
    """Format that it reads."""
    open: Callable[[Path, torch.device], Session]
    """Open a file on a device, without fallback to another. Each batch is run as a whole."""
    open_serial: Callable[[Path], Session] | None = None
    """Open a file on the CPU so that each thread that calls `run` computes on its own."""
    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files."""
        return FORMATS[self.format].suffixes


ENGINES: dict[EngineName, Engine] = {
    "onnxruntime": Engine(format="onnx", open=OnnxSession, open_serial=open_serial_onnx),
    "tensorrt": Engine(
        format="onnx", open=partial(OnnxSession, with_tensorrt=True), devices=("cuda",)
    ),
    "torchscript": Engine(format="torchscript", open=open_torchscript),
    "pt2": Engine(format="pt2", open=open_pt2),
    "openvino": Engine(format="openvino", open=OpenVinoSession, devices=("cpu",)),
}
"""The first engine that reads a format is the default for it."""


def find_engine(path: Path, device: torch.device, requested: EngineName | None) -> Engine:
    """Return the requested engine for a file, or the default for its suffix.

    Args:
        requested: None: the default.

    Raises:
        FaceaeError: the engine cannot read the file or use `device`, or no engine reads the file.
    """
    names = find_engines(path)
    if requested is None:
        return ENGINES[names[0]]
    if requested not in names:
        raise FaceaeError(f"`engine={requested!r}`: cannot run {path}; use {' or '.join(names)}")
    check_device(requested, device)
    return ENGINES[requested]


def check_device(name: EngineName, device: torch.device) -> None:
    """Raise FaceaeError if an engine for exported files cannot use `device`."""
    devices = ENGINES[name].devices
    if device.type not in devices:
        raise FaceaeError(
            f"`engine={name!r}`: cannot use `device={device.type!r}`, only {' and '.join(devices)}"
        )


def find_engines(path: Path) -> list[EngineName]:
    """Return the engines that read files of this suffix, the default first.

    Raises:
        FaceaeError: no engine does.
    """
    suffix = path.suffix.lower()
    names = [name for name, engine in ENGINES.items() if suffix in engine.suffixes]
    if not names:
        suffixes = dict.fromkeys(each for engine in ENGINES.values() for each in engine.suffixes)
        raise FaceaeError(f"{path}: an exported file ends in one of {', '.join(suffixes)}")
    return names
