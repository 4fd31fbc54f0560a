"""OpenVINO files: the graph in .xml, and the weights in a .bin of the same name beside it."""

import importlib
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from faceae.errors import FaceaeError

from .._metadata import ExportInfo
from ._onnx import make_onnx

_METADATA = "faceae"
"""Section of the graph's rt_info that holds the metadata."""
_START = b"<?xml"


def write_openvino(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Convert `module` to ONNX, and write it in float32 as `path` and the .bin beside it.

    Raises:
        FaceaeError: OpenVINO is not installed.
    """
    openvino = _import_openvino()
    model = openvino.Core().read_model(make_onnx(module, info).SerializeToString())
    model.set_rt_info(info.to_metadata(), _METADATA)
    lower = path.with_suffix(".xml")  # OpenVINO writes no other suffix
    openvino.save_model(model, lower, compress_to_fp16=False)
    lower.rename(path)


class OpenVinoSession:
    """An exported .xml and its .bin, run by OpenVINO on the CPU."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """Open `path` and its .bin; see `open_session`.

        Raises:
            FaceaeError: OpenVINO is not installed, `device` is not the CPU, or a file is missing,
                damaged, or not from `faceae export`.
        """
        openvino = _import_openvino()
        if device.type != "cpu":
            raise FaceaeError(
                f"`device={device.type!r}`: OpenVINO cannot use it; use `device='cpu'`"
            )
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise FaceaeError(f"{weights}: no such file; it holds the weights of {path.name}")
        core = openvino.Core()
        model = _read(core, path, weights)
        metadata = model.get_rt_info(_METADATA).value if model.has_rt_info(_METADATA) else {}
        self.info = ExportInfo.from_metadata(path, metadata)
        # By default OpenVINO computes in bfloat16 on CPUs that support it.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._compiled = core.compile_model(model, "CPU", options)
        self.engine = f"OpenVINO {openvino.__version__.split('-')[0]}, CPU"

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output for `inputs`; see `Session`."""
        result: NDArray[Any] = self._compiled(self.info.feed(inputs))[self.info.output.name]
        return result


def _read(core: Any, path: Path, weights: Path) -> Any:
    try:
        # For a file of another format, every frontend of OpenVINO would print to stderr.
        if path.read_bytes().startswith(_START):
            return core.read_model(path, weights)
        raise RuntimeError("no XML")
    except RuntimeError as error:
        raise FaceaeError(
            f"{path}: it or its .bin is cut short, or not OpenVINO's; export the run again"
        ) from error


def _import_openvino() -> Any:
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise FaceaeError("OpenVINO is not installed: pip install 'faceae[openvino]'") from error
