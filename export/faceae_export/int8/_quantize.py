"""Quantise ONNX files to int8 with ONNX Runtime, and check that they run in integers.

Weights are int8 with one scale per channel, and use 7 bits: processors without VNNI add two 8-bit
products in 16 bits, which can overflow. Activations are uint8 with one scale per tensor, from the
range that calibration found. The scheme is that of Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference" (CVPR 2018).
"""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import quantization

from faceae.errors import FaceaeError

from .._metadata import ExportInfo

_HEAVY = ("Conv", "Gemm", "MatMul")
"""Operators that take nearly all of the time."""
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
"""Operators that only move or clip values. They run in integers too, between the heavy ones."""
_FLOAT_KERNELS = ("Conv", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul")
"""Names of the heavy operators' float kernels in ONNX Runtime's profiles."""
_SAMPLING = ("factor",)
"""Weights of a normal prior, whose sampling is computed in float32."""
_PRIOR = "prior."
"""Prefix of the weights of other priors."""
_DECODER = "decoder."
"""Prefix of the decoder's weights."""

Inputs = Sequence[tuple[NDArray[Any], ...]]


def quantize_onnx(path: Path, info: ExportInfo, calibration: Inputs) -> None:
    """Replace the float32 file `path` by an int8 file, and check that a CPU runs it in integers.

    Args:
        info: metadata of the int8 file.
        calibration: inputs that determine the ranges of the activations.

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
    """Raise FaceaeError if ONNX Runtime's profiler shows heavy operators in float kernels."""
    sampling = set(_list_sampling(onnx.load(path)))
    floats = {
        name: kernel
        for name, kernel in _profile(path, info, inputs).items()
        if kernel in _FLOAT_KERNELS and name not in sampling
    }
    if floats:
        names = ", ".join(f"{name} ({kernel})" for name, kernel in sorted(floats.items()))
        raise FaceaeError(
            f"`precision='int8'`: ONNX Runtime {onnxruntime.__version__} computes {names} in "
            "floats on this machine; it was not kept; report this with the output of "
            "`faceae doctor --json`"
        )


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, info: ExportInfo, inputs: Inputs) -> None:
        self._feeds = (info.feed(each) for each in inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _list_sampling(model: onnx.ModelProto) -> list[str]:
    """Return the names of the operators of the generator's sampling."""
    nodes = model.graph.node
    if any(array.name.startswith(_PRIOR) for array in model.graph.initializer):
        return [node.name for node in _list_before_decoder(nodes)]
    return [node.name for node in nodes if set(node.input) & set(_SAMPLING)]


def _list_before_decoder(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return the operators that compute latents. `nodes` are in the order of computation."""
    decoded: set[str] = set()
    before = []
    for node in nodes:
        if any(name.startswith(_DECODER) or name in decoded for name in node.input):
            decoded.update(node.output)
        else:
            before.append(node)
    return before


def _profile(path: Path, info: ExportInfo, inputs: tuple[NDArray[Any], ...]) -> dict[str, str]:
    """Return the name of the kernel that computed each operator, by the operator's name."""
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
    """Silence the quantiser's advice to preprocess the graph, which the exporter has done."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
