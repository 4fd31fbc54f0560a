"""Every engine that runs exported files: which format it reads, and how it is opened."""

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
"""torch runs a model as it is, each of the others an exported file."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine."""

    format: FormatName
    """What it reads."""
    open: Callable[[Path, torch.device], Session]
    """Open a file on a device and nowhere else; each batch is run as a whole."""
    open_serial: Callable[[Path], Session] | None = None
    """Open it on the CPU, to compute in the thread that calls `run` alone, several at once."""
    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What its files end in."""
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
"""Of several that read the same files the first is the usual one."""


def find_engine(path: Path, device: torch.device, asked: EngineName | None) -> Engine:
    """Return the engine asked for, or the usual one, for a file that it can read by its suffix.

    Raises:
        FaceaeError: it cannot, or not on `device`, or no engine can.
    """
    names = find_engines(path)
    if asked is None:
        return ENGINES[names[0]]
    if asked not in names:
        raise FaceaeError(f"--engine {asked}: cannot run {path}; take {' or '.join(names)}")
    check_device(asked, device)
    return ENGINES[asked]


def check_device(name: EngineName, device: torch.device) -> None:
    """Raise FaceaeError where an engine that runs exported files cannot use `device`."""
    devices = ENGINES[name].devices
    if device.type not in devices:
        raise FaceaeError(
            f"--engine {name}: cannot use --device {device.type}, only {' and '.join(devices)}"
        )


def find_engines(path: Path) -> list[EngineName]:
    """Return the engines that read a file, by its suffix.

    Raises:
        FaceaeError: there are none.
    """
    suffix = path.suffix.lower()
    names = [name for name, engine in ENGINES.items() if suffix in engine.suffixes]
    if not names:
        suffixes = dict.fromkeys(each for engine in ENGINES.values() for each in engine.suffixes)
        raise FaceaeError(f"{path}: an exported file ends in one of {', '.join(suffixes)}")
    return names
