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

import faceae
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, export_model, open_session
from faceae_export.formats._onnx import OPSET, _quiet_exporter
from faceae_export.graph import describe_export

CPU = torch.device("cpu")


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


def test_provider_that_did_not_load_is_an_error(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime only logs a library it cannot load, and opens the session on the CPU."""
    monkeypatch.setattr(
        "faceae_export.formats._onnx.choose_providers",
        lambda *_, **__: [("CUDAExecutionProvider", {}), ("CPUExecutionProvider", {})],
    )
    monkeypatch.setattr(
        "onnxruntime.InferenceSession.get_providers", lambda _: ["CPUExecutionProvider"]
    )
    monkeypatch.setattr("onnxruntime.InferenceSession.__init__", lambda *_, **__: None)
    with pytest.raises(FaceaeError, match=r"could not load CUDAExecutionProvider: .*needs CUDA 12"):
        open_session(exported / "decoder.onnx", CPU)
