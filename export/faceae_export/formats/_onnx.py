"""ONNX files: torch's exporter writes them, ONNX Runtime runs them."""

import ast
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from torch import nn

from faceae.errors import FaceaeError

from .._metadata import STEPS, ExportInfo
from ..sessions import (
    CPU,
    ENGINE_ERRORS,
    IoBinding,
    Providers,
    choose_providers,
    explain_gpu_failure,
    explain_not_loaded,
)
from ._examples import example_inputs, free_axes
from ._tensorrt import load_tensorrt, make_tensorrt_options

OPSET = 20
"""ONNX operator set: the default of torch 2.10, read by ONNX Runtime 1.17 and later."""

_ERRORS_ONLY = 3

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Key of the exporter's list of the modules around an operator; the operator's own name is last."""


def write_onnx(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module` as one ONNX file; see `make_onnx`."""
    path.write_bytes(make_onnx(module, info).SerializeToString(deterministic=True))


def make_onnx(module: nn.Module, info: ExportInfo) -> onnx.ModelProto:
    """Return `module` as ONNX, with a free batch size and metadata."""
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            example_inputs(info),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            dynamic_shapes=free_axes(info, "batch"),
            input_names=[port.name for port in info.inputs],
            output_names=[info.output.name],
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    _name_nodes(model.graph)
    _strip(model)
    _name_free_axes(model.graph, info)
    onnx.helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's warnings about torch itself.

    The exporter uses deprecated parts of torch, and logs operators of torchvision that it lacks.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            # Raised if two inputs share a free axis.
            warnings.filterwarnings("ignore", "# The axis name: ", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Name each operator by its module in the network and its type."""
    used: Counter[str] = Counter()
    for node in graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        scopes = ast.literal_eval(notes.get(_SCOPES, "[]"))
        place = scopes[-2] if len(scopes) > 1 else ""
        name = f"{place}/{node.op_type}".lstrip("/")
        used[name] += 1
        node.name = name if used[name] == 1 else f"{name}_{used[name]}"


def _strip(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes, which hold source lines and paths of this machine."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.ClearField("doc_string")


def _name_free_axes(graph: onnx.GraphProto, info: ExportInfo) -> None:
    """Name the first axis of a morph's frames; the exporter only numbers it."""
    found = graph.output[0].type.tensor_type.shape.dim[0].dim_param
    if info.is_batched:
        return
    for value in (*graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == found:
                dim.dim_param = STEPS


class OnnxSession:
    """An exported ONNX file in ONNX Runtime."""

    def __init__(
        self,
        path: Path,
        device: torch.device,
        *,
        num_threads: int | None = None,
        with_tensorrt: bool = False,
    ) -> None:
        """Open `path` on `device`; see `open_session`.

        Args:
            num_threads: CPU threads for one run. None: torch's number of threads. With 1, several
                threads may call `run` at once, and each computes on its own.
            with_tensorrt: compute with TensorRT on a GPU. TensorRT builds an engine at the first
                run, which takes minutes, and keeps it in faceae's cache folder. It multiplies in
                TF32 unless the environment sets NVIDIA_TF32_OVERRIDE=0.

        Raises:
            FaceaeError: the file is damaged or not from `faceae export`, it is in int8 and `device`
                is a GPU, or ONNX Runtime cannot use `device`.
        """
        uses_gpu = device.type != "cpu" or with_tensorrt
        # An error on the CPU is the file's. The metadata decide the options of a GPU.
        self._session = _load(path, num_threads or torch.get_num_threads(), optimise=not uses_gpu)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.info = ExportInfo.from_metadata(path, metadata)
        self._io_binding: IoBinding | None = None
        name = CPU
        if uses_gpu:
            name = self._open_on_gpu(path, device, with_tensorrt=with_tensorrt)
        self.engine = f"ONNX Runtime {onnxruntime.__version__}, {name}"

    def _open_on_gpu(self, path: Path, device: torch.device, *, with_tensorrt: bool) -> str:
        """Replace the session on the CPU by one on `device`; return its provider's name."""
        if self.info.precision == "int8":
            raise FaceaeError(
                f"{path}: is in int8, and on a GPU ONNX Runtime would compute its convolutions in "
                "floats; use `device='cpu'`, or export the run in fp16"
            )
        on_gpu = device.type == "cuda" and torch.cuda.is_available()
        stream = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]
        if with_tensorrt:
            load_tensorrt()
        providers = choose_providers(
            device,
            onnxruntime.get_available_providers(),
            precision=self.info.precision,
            tensorrt=make_tensorrt_options(path, self.info) if with_tensorrt else None,
            stream=stream.cuda_stream if stream else None,
        )
        self._session = _load_on_gpu(path, providers)
        if stream is not None:
            self._io_binding = IoBinding(self._session, self.info, device, stream)
        return providers[0][0]

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output for `inputs`; see `Session`."""
        if self._io_binding is not None:
            return self._io_binding.run(*inputs)
        result: NDArray[Any]
        (result,) = self._session.run([self.info.output.name], self.info.feed(inputs))
        return result


def _load(path: Path, num_threads: int, *, optimise: bool) -> onnxruntime.InferenceSession:
    """Load a file on the CPU, or raise FaceaeError.

    Args:
        optimise: optimise the graph, which takes time.
    """
    options = _make_options()
    options.intra_op_num_threads = num_threads
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path, sess_options=options, providers=[CPU])
    except _UNREADABLE as error:
        raise FaceaeError(f"{path}: cut short or not an ONNX file; export the run again") from error


def _load_on_gpu(path: Path, providers: Providers) -> onnxruntime.InferenceSession:
    """Load a file that the CPU could load with the first of `providers`, or raise FaceaeError."""
    first = providers[0][0]
    try:
        session = onnxruntime.InferenceSession(
            path, sess_options=_make_options(), providers=providers, enable_fallback=0
        )
    except RuntimeError as error:
        raise explain_not_loaded(first) from error
    except ENGINE_ERRORS as error:
        raise explain_gpu_failure(path, first, error) from error
    if first not in session.get_providers():
        # ONNX Runtime only logs that a library does not load, and falls back to the CPU.
        raise explain_not_loaded(first)
    return session


def _make_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    return options


def open_serial_onnx(path: Path) -> OnnxSession:
    """Open `path` on the CPU; each thread that calls `run` computes on its own."""
    return OnnxSession(path, torch.device("cpu"), num_threads=1)


_UNREADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
)
