"""Every file format: how to write a file, and how to open it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn

from .._metadata import ExportInfo, Kind, Precision
from ..int8 import Inputs, quantize_onnx
from ..sessions import Session
from ._onnx import OnnxSession, write_onnx
from ._openvino import OpenVinoSession, write_openvino
from ._pt2 import open_pt2, write_pt2
from ._torchscript import open_torchscript, write_torchscript
from ._triton import open_triton, write_triton
from ._weights import SAFETENSORS_SUFFIX, open_weights, write_weights

FormatName = Literal["onnx", "torchscript", "pt2", "openvino", "triton", "weights"]

_FLOATS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")


@dataclass(frozen=True, kw_only=True)
class Format:
    """One file format."""

    suffixes: tuple[str, ...]
    """Suffixes of a file's name; (): the format is a folder."""
    write: Callable[[nn.Module, ExportInfo, Path], None]
    """Write a module from `build_module`, with its metadata."""
    open: Callable[[Path, torch.device], Session]
    """Open a file on a device, without fallback to another. Each batch is run as a whole."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    """Kinds that it can hold."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """Precisions that it can hold."""
    quantize: Callable[[Path, ExportInfo, Inputs], None] | None = None
    """Replace a float32 file by an int8 file, calibrated on inputs."""
    is_graph: bool = True
    """Whether it holds a graph, which may be rewritten, not the weights alone."""


FORMATS: dict[FormatName, Format] = {
    "onnx": Format(
        suffixes=(".onnx",),
        write=write_onnx,
        open=OnnxSession,
        precisions=("fp32", "fp16", "int8"),  # ONNX Runtime has no bfloat16 kernels for CPUs
        quantize=quantize_onnx,
    ),
    "torchscript": Format(
        suffixes=(".ts", ".pt"),
        write=write_torchscript,
        open=open_torchscript,
        precisions=_FLOATS,
    ),
    "pt2": Format(suffixes=(".pt2",), write=write_pt2, open=open_pt2, precisions=_FLOATS),
    "openvino": Format(suffixes=(".xml",), write=write_openvino, open=OpenVinoSession),
    "triton": Format(suffixes=(), write=write_triton, open=open_triton),
    "weights": Format(
        suffixes=(".pt", SAFETENSORS_SUFFIX),
        write=write_weights,
        open=open_weights,
        kinds=("decoder",),
        is_graph=False,
    ),
}
