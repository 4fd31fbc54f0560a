"""The ONNX file, as software without a line of ours sees it."""

import dataclasses
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

import faceae
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import EngineName, Kind, export_model, open_session
from faceae_export.formats._onnx import OPSET, _quiet_exporter
from faceae_export.graph import describe_export

CPU = torch.device("cpu")
CUDA = torch.device("cuda", 0)
CPU_PROVIDER = "CPUExecutionProvider"


def run_plainly(path: Path, **inputs: object) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, inputs)
    return output


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("count", [1, 4, 64])
def test_in_plain_onnxruntime(
    exported: Path,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    kind: Kind,
    count: int,
) -> None:
    inputs, expected = example(kind, count)
    assert_same(run_plainly(exported / f"{kind}.onnx", **inputs), expected)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_file_is_complete_and_says_what_it_is(
    exported: Path, trained: TrainedModel, kind: Kind
) -> None:
    model = onnx.load(exported / f"{kind}.onnx", load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["kind"] == kind
    assert metadata["faceae_version"] == faceae.__version__
    assert json.loads(metadata["model"]) == dataclasses.asdict(trained.model.config)
    assert metadata["weights_hash"] == describe_export(trained, "decoder").weights_hash


@pytest.mark.parametrize(
    ("kind", "ports"),
    [
        ("generator", {"noise": ["batch", 16], "truncation": [], "faces": ["batch", 32, 32, 3]}),
        ("encoder", {"images": ["batch", 32, 32, 3], "latents": ["batch", 16]}),
        ("morph", {"images": [2, 32, 32, 3], "steps": [], "faces": ["steps", 32, 32, 3]}),
    ],
)
def test_batch_is_named_and_free(
    exported: Path, kind: Kind, ports: dict[str, list[object]]
) -> None:
    graph = onnx.load(exported / f"{kind}.onnx").graph
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert found == ports


def test_file_holds_no_trace_of_the_machine(exported: Path) -> None:
    for name in (f"{kind}.onnx" for kind in get_args(Kind)):
        content = (exported / name).read_bytes()
        for trace in (b".py", b"stack_trace", b"site-packages", str(Path.cwd()).encode()):
            assert trace not in content, (name, trace)


def test_transposed_convolutions_and_batch_norms_are_gone(exported: Path) -> None:
    operators = {node.op_type for node in onnx.load(exported / "autoencoder.onnx").graph.node}
    assert {"Gemm", "Conv"} <= operators
    assert not {"ConvTranspose", "BatchNormalization", "Pad"} & operators


def test_weights_are_named_by_their_layer(exported: Path) -> None:
    graph = onnx.load(exported / "autoencoder.onnx").graph
    names = {tensor.name for tensor in graph.initializer}
    assert {"encoder.1.0.weight", "decoder.0.product.weight"} <= names


def test_without_rewriting_they_stay(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    report = export_model(trained, "onnx", "decoder", path, CPU, rewrite=False)
    assert "ConvTranspose" in {node.op_type for node in onnx.load(path).graph.node}
    assert not report.rewritten


def test_same_model_gives_the_same_bytes(
    exported: Path, trained: TrainedModel, tmp_path: Path
) -> None:
    export_model(trained, "onnx", "decoder", tmp_path / "again.onnx", CPU)
    again = (tmp_path / "again.onnx").read_bytes()
    assert again == (exported / "decoder.onnx").read_bytes()


def test_exporter_is_quiet_about_torch_and_only_while_it_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once torchvision is imported, it logs several lines about operators it does not know."""
    logger = logging.getLogger("torch.onnx._internal.exporter._schemas")
    with _quiet_exporter():
        logger.warning("Missing annotation for parameter")
        warnings.warn("deprecated", FutureWarning, stacklevel=1)
        logger.error("broken")
    assert [record.message for record in caplog.records] == ["broken"]
    assert logger.isEnabledFor(logging.WARNING)


def test_operators_are_named_by_their_place(exported: Path) -> None:
    names = [node.name for node in onnx.load(exported / "generator.onnx").graph.node]
    assert len(set(names)) == len(names)
    assert "decoder.0.product/Gemm" in names
    assert {f"decoder.1.parities.convs.{number}.1/Conv" for number in range(4)} <= set(names)


class GpuRuntime:
    """Stands in for ONNX Runtime on a machine with a GPU: a session on it computes on the CPU."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, dict[str, str]]]] = []
        """Providers with options of each session on the GPU."""
        self.error: Exception | None = None
        self.loads = True
        self._open = onnxruntime.InferenceSession

    def __call__(self, path: Path, **options: Any) -> Any:
        providers = options["providers"]
        if providers[0] == CPU_PROVIDER:
            return self._open(path, **options)
        self.asked.append(providers)
        if self.error is not None:
            raise self.error
        session = self._open(path, providers=[CPU_PROVIDER])
        names = [name for name, _ in providers] if self.loads else [CPU_PROVIDER]
        session.get_providers = lambda: names
        return session


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GpuRuntime:
    runtime = GpuRuntime()
    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU_PROVIDER]
    monkeypatch.setattr(onnxruntime, "InferenceSession", runtime)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setenv("FACEAE_CACHE", str(tmp_path / "cache"))
    return runtime


def with_precision(path: Path, out: Path, precision: str) -> Path:
    """Copy a file, and say in its metadata that it has this precision."""
    model = onnx.load(path)
    props = {each.key: each.value for each in model.metadata_props} | {"precision": precision}
    onnx.helper.set_model_props(model, props)
    onnx.save(model, out)
    return out


def test_provider_that_did_not_load_is_an_error(exported: Path, gpu: GpuRuntime) -> None:
    """ONNX Runtime only logs a library it cannot load, and opens the session on the CPU."""
    gpu.loads = False
    with pytest.raises(FaceaeError, match=r"could not load CUDAExecutionProvider: .*needs CUDA 12"):
        open_session(exported / "decoder.onnx", CUDA)


@pytest.mark.parametrize(("precision", "use_tf32"), [("fp32", "0"), ("fp16", "1")])
def test_precision_of_the_file_decides_about_tf32(
    exported: Path, tmp_path: Path, gpu: GpuRuntime, precision: str, use_tf32: str
) -> None:
    path = with_precision(exported / "decoder.onnx", tmp_path / "d.onnx", precision)
    session = open_session(path, CUDA)
    assert gpu.asked == [
        [
            ("CUDAExecutionProvider", {"device_id": "0", "use_tf32": use_tf32}),
            (CPU_PROVIDER, {}),
        ]
    ]
    assert session.engine.endswith("CUDAExecutionProvider")


@pytest.mark.parametrize("engine", ["onnxruntime", "tensorrt"])
def test_int8_is_refused_on_a_gpu(
    exported: Path, tmp_path: Path, gpu: GpuRuntime, engine: EngineName
) -> None:
    """There it would be computed in floats, between quantisations."""
    path = with_precision(exported / "decoder.onnx", tmp_path / "d.onnx", "int8")
    with pytest.raises(FaceaeError, match=r"d\.onnx: is in int8, .*in floats; use `device='cpu'`"):
        open_session(path, CUDA, engine)
    assert gpu.asked == []


def test_tensorrt_gets_the_files_shapes_and_its_libraries_first(
    exported: Path, gpu: GpuRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_before = []
    monkeypatch.setattr(
        "faceae_export.formats._onnx.load_tensorrt", lambda: asked_before.append(len(gpu.asked))
    )
    open_session(exported / "generator.onnx", CUDA, "tensorrt")
    assert asked_before == [0]
    ((name, options), *others) = gpu.asked[0]
    assert name == "TensorrtExecutionProvider"
    assert options["trt_profile_max_shapes"] == "noise:256x16"
    assert [other for other, _ in others] == ["CUDAExecutionProvider", CPU_PROVIDER]


@pytest.mark.parametrize(
    "error",
    [
        ort_errors.Fail("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory"),
        ort_errors.RuntimeException("[ONNXRuntimeError] : 6 : out of memory"),
        ort_errors.EPFail("[ONNXRuntimeError] : 11 : EP_FAIL : CUDNN failure"),
        ort_errors.NotImplemented("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : a kernel"),
    ],
)
def test_failure_of_a_gpu_is_not_the_files(
    exported: Path, gpu: GpuRuntime, error: Exception
) -> None:
    gpu.error = error
    with pytest.raises(FaceaeError) as raised:
        open_session(exported / "decoder.onnx", CUDA)
    message = str(raised.value)
    assert str(error) in message
    assert "CUDAExecutionProvider failed on the GPU" in message
    assert "`device='cpu'`" in message
    assert "cut short" not in message


def test_damaged_file_on_a_gpu(exported: Path, tmp_path: Path, gpu: GpuRuntime) -> None:
    path = tmp_path / "d.onnx"
    path.write_bytes((exported / "decoder.onnx").read_bytes()[:1000])
    with pytest.raises(FaceaeError, match=r"d\.onnx: cut short or not an ONNX file"):
        open_session(path, CUDA)
    assert gpu.asked == []
