"""Model repositories for Triton: `OUT/KIND/config.pbtxt` and `OUT/KIND/1/model.onnx`.

The fields of config.pbtxt are those of Triton's model_config.proto. Triton's dynamic batching
concatenates the inputs of several requests along their first axis. So inputs that are single
numbers, such as the truncation, are stored as one number per face.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from .._metadata import ExportInfo, Port
from ._onnx import OnnxSession, write_onnx

MAX_BATCH_SIZE = 64
"""Largest batch, in faces: the largest that an export is checked with."""
_MAX_QUEUE_DELAY_US = 2000
"""Microseconds that a request waits for others to batch it with: less than a CPU needs per face."""
_BATCH_SIZES = (4, 16, MAX_BATCH_SIZE)
"""Sizes of batches, in faces, that Triton forms where it can. On a GPU ONNX Runtime keeps cuDNN's
plans for the last batch size only and makes new ones for another, so there should be few sizes."""
_DATA_TYPES = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8", "int64": "TYPE_INT64"}
_MODEL_NAME = "model.onnx"


def write_triton(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module` as the only model of a new repository `path`."""
    info = replace(info, numbers_as_rows=True)
    version = path / info.kind / "1"
    version.mkdir(parents=True)
    write_onnx(module, info, version / _MODEL_NAME)
    (path / info.kind / "config.pbtxt").write_text(make_config(info), "utf-8", newline="\n")


def open_triton(path: Path, device: torch.device) -> OnnxSession:
    """Open the only model of a repository in ONNX Runtime, which Triton runs it in, too."""
    (model,) = path.glob(f"*/1/{_MODEL_NAME}")
    return OnnxSession(model, device)


def make_config(info: ExportInfo) -> str:
    """Return the content of config.pbtxt. A morph is not batched."""
    lines = [
        f'name: "{info.kind}"',
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {MAX_BATCH_SIZE if info.is_batched else 0}",
        *(f"input {_describe(port, info.is_batched)}" for port in info.inputs),
        f"output {_describe(info.output, info.is_batched)}",
    ]
    if info.is_batched:
        sizes = f"preferred_batch_size: [ {', '.join(map(str, _BATCH_SIZES))} ]"
        delay = f"max_queue_delay_microseconds: {_MAX_QUEUE_DELAY_US}"
        lines.append(f"dynamic_batching {{ {sizes} {delay} }}")
    return "\n".join(lines) + "\n"


def _describe(port: Port, is_batched: bool) -> str:
    sizes = port.shape[1:] if is_batched else port.shape
    dims = ", ".join(str(-1 if isinstance(size, str) else size) for size in sizes)
    return f'[ {{ name: "{port.name}" data_type: {_DATA_TYPES[port.dtype]} dims: [ {dims} ] }} ]'
