"""ONNX files in int8: written by ONNX Runtime's static quantisation, proven to run in integers.

Weights are int8, one scale a channel, of 7 bits: processors without VNNI add products of 8 bits in
16, where two of them can overflow. What layers hand on is uint8, one scale a tensor, from the range
that calibration saw. The scheme is that of Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference" (CVPR 2018).
"""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import quantization

from faceae.errors import FaceaeError

from .._metadata import ExportInfo

_HEAVY = ("Conv", "Gemm", "MatMul")
"""Operators that the time goes into."""
_CARRIERS = (
    "Concat",
    "LeakyRelu",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Transpose",
    "Unsqueeze",
)
"""Operators that hand on what they are given: between heavy ones they stay in integers, too."""
_FLOAT_KERNELS = ("Conv", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul")
"""What ONNX Runtime calls the heavy operators in its profiles where they are computed in floats."""
_SAMPLING = ("factor",)
"""Weights of the generator's sampling, which stays in float32."""

Inputs = Sequence[tuple[NDArray[Any], ...]]


def quantize_onnx(path: Path, info: ExportInfo, calibration: Inputs) -> None:
    """Turn the float32 file `path` into an int8 one, and see that it runs in integers on the CPU.

    Args:
        info: what the file will say about itself.
        calibration: inputs whose ranges the scales are made for.

    Raises:
        FaceaeError: this ONNX Runtime computes part of the network in floats.
    """
    model = onnx.load(path)
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        quantized = Path(folder, "quantized.onnx")
        quantization.quantize_static(
            model,
            quantized,
            _Calibration(info, calibration),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=[*_HEAVY, *_CARRIERS],
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_list_sampling(model),
        )
        result = onnx.load(quantized)
    onnx.helper.set_model_props(result, info.to_metadata())
    onnx.checker.check_model(result, full_check=True)
    path.write_bytes(result.SerializeToString(deterministic=True))
    _check_integers(path, info, calibration[0])


def _check_integers(path: Path, info: ExportInfo, inputs: tuple[NDArray[Any], ...]) -> None:
    """Run a quantised file under ONNX Runtime's profiler and look at its kernels."""
    sampling = set(_list_sampling(onnx.load(path)))
    floats = {
        name: kernel
        for name, kernel in _profile(path, info, inputs).items()
        if kernel in _FLOAT_KERNELS and name not in sampling
    }
    if floats:
        names = ", ".join(f"{name} ({kernel})" for name, kernel in sorted(floats.items()))
        raise FaceaeError(
            f"--precision int8: ONNX Runtime {onnxruntime.__version__} computes {names} in floats "
            "on this machine; it was not kept; report this with the output of "
            "`faceae doctor --json`"
        )


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, info: ExportInfo, inputs: Inputs) -> None:
        self._feeds = (info.feed(each) for each in inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _list_sampling(model: onnx.ModelProto) -> list[str]:
    """Return the names of the operators that the generator's sampling is made of."""
    return [node.name for node in model.graph.node if set(node.input) & set(_SAMPLING)]


def _profile(path: Path, info: ExportInfo, inputs: tuple[NDArray[Any], ...]) -> dict[str, str]:
    """Return the kernel that computed each operator, by the operator's name."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            path, sess_options=options, providers=["CPUExecutionProvider"]
        )
        session.run(None, info.feed(inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    suffix = "_kernel_time"
    return {
        event["name"].removesuffix(suffix): event["args"]["op_name"]
        for event in events
        if event["name"].endswith(suffix)
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser: it advises to clean the graph first, which the exporter has done."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
