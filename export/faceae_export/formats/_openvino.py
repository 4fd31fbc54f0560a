"""OpenVINO's own files: a graph in .xml, its weights in a .bin of the same name beside it."""

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
"""Our section of the graph's rt_info."""
_START = b"<?xml"


def write_openvino(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module` as `path` and the .bin beside it, by way of ONNX, in full float32.

    Raises:
        FaceaeError: OpenVINO is not installed.
    """
    openvino = _import_openvino()
    model = openvino.Core().read_model(make_onnx(module, info).SerializeToString())
    model.set_rt_info(info.to_metadata(), _METADATA)
    lower = path.with_suffix(".xml")  # OpenVINO writes under no other suffix
    openvino.save_model(model, lower, compress_to_fp16=False)
    lower.rename(path)


class OpenVinoSession:
    """An exported pair of files in OpenVINO on the CPU."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """Open `path` and its .bin; see `open_session`."""
        openvino = _import_openvino()
        if device.type != "cpu":
            raise FaceaeError(f"--device {device.type}: OpenVINO cannot use it; take --device cpu")
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise FaceaeError(f"{weights}: no such file; it holds the weights of {path.name}")
        core = openvino.Core()
        model = _read(core, path, weights)
        metadata = model.get_rt_info(_METADATA).value if model.has_rt_info(_METADATA) else {}
        self.info = ExportInfo.from_metadata(path, metadata)
        # float32 is to mean float32: by default it computes in bfloat16 where a CPU has it.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._compiled = core.compile_model(model, "CPU", options)
        self.engine = f"OpenVINO {openvino.__version__.split('-')[0]}, CPU"

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        result: NDArray[Any] = self._compiled(self.info.feed(inputs))[self.info.output.name]
        return result


def _read(core: Any, path: Path, weights: Path) -> Any:
    try:
        # Of another file every frontend of OpenVINO would say on stderr that it is not its own.
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
