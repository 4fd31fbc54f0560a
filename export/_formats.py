"""Every format: how a file of it is written, and opened to be run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn

from ._info import ExportInfo, Kind
from ._onnx import OnnxSession, write_onnx
from ._session import Session
from ._torchscript import open_torchscript, write_torchscript

FormatName = Literal["onnx", "torchscript"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format of files."""

    suffixes: tuple[str, ...]
    """What a file's name may end in."""
    write: Callable[[nn.Module, ExportInfo, Path], None]
    """Write a module of `ExportSource.build`, with its metadata inside."""
    open: Callable[[Path, torch.device], Session]
    """Open what `write` wrote, on a device and nowhere else; each batch is run as a whole."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    """What can be written in it."""


FORMATS: dict[FormatName, Format] = {
    "onnx": Format(suffixes=(".onnx",), write=write_onnx, open=OnnxSession),
    "torchscript": Format(suffixes=(".ts", ".pt"), write=write_torchscript, open=open_torchscript),
}
