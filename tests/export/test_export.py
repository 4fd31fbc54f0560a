"""Exports in every precision, and options that all formats share."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import FormatName, Kind, Precision, export_model, open_session
from faceae_export.formats._torch import TorchSession
from faceae_export.graph import describe_export

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("format_name", "name", "kind", "precision"),
    [
        ("onnx", "f.onnx", "generator", "fp16"),
        ("onnx", "f.onnx", "encoder", "fp16"),
        ("torchscript", "f.ts", "autoencoder", "bf16"),
        ("pt2", "f.pt2", "decoder", "bf16"),
    ],
)
def test_close_to_float32_with_psnr_and_speed_in_the_report(
    trained: TrainedModel,
    example: Callable[..., Any],
    tmp_path: Path,
    format_name: FormatName,
    name: str,
    kind: Kind,
    precision: Precision,
) -> None:
    path = tmp_path / name
    report = export_model(trained, format_name, kind, path, CPU, precision=precision)
    written = json.loads(report.report_path.read_text())
    assert written["metadata"]["precision"] == report.info.precision == precision
    assert written["psnr_db"] == report.parity.psnr_db
    assert report.parity.psnr_db == min(batch["psnr_db"] for batch in written["batches"])
    assert 35 <= report.parity.psnr_db < 110
    assert report.speedup is not None
    assert written["speedup_over_fp32"] == report.speedup > 0
    assert report.gains_speed is (report.speedup >= 1.1)
    session = open_session(path, CPU)
    assert session.info == describe_export(trained, kind, precision)
    inputs, expected = example(kind, 3)
    found = session.run(*inputs.values())
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected.astype(np.float64)).mean() < 0.02 * np.ptp(expected)


def test_weights_are_halved_and_ports_are_not(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    export_model(trained, "onnx", "generator", path, CPU, precision="fp16")
    graph = onnx.load(path).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert types["decoder.0.product.weight"] == onnx.TensorProto.FLOAT16
    assert types["factor"] == onnx.TensorProto.FLOAT
    ports = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ports == [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8]


def test_without_rewriting(trained: TrainedModel, tmp_path: Path) -> None:
    report = export_model(
        trained, "torchscript", "decoder", tmp_path / "plain.ts", CPU, rewrite=False
    )
    assert json.loads(report.report_path.read_text())["rewritten"] is False
    assert report.parity.max_error < 1e-6


def test_session_that_checks_runs_whole_batches(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In micro-batches, a file would never be run on the largest batch."""
    sizes = []
    run = TorchSession.run

    def run_and_record(session: TorchSession, *inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs[0]))
        return run(session, *inputs)

    monkeypatch.setattr(TorchSession, "run", run_and_record)
    export_model(trained, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert sizes == [1, 7, 64]


def test_suffix_in_capitals(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "G.ONNX"
    assert export_model(trained, "onnx", "decoder", path, CPU).path == path
    assert open_session(path, CPU).info.kind == "decoder"


def test_openvino_that_is_not_installed(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(FaceaeError, match=r"not installed: pip install 'faceae\[openvino\]'"):
        export_model(trained, "openvino", "decoder", tmp_path / "d.xml", CPU)
    assert list(tmp_path.iterdir()) == []
