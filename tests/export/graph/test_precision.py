"""Files in a number type below float32."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import faceae_export._export
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import FormatName, Kind, Precision, export_model, open_session
from faceae_export.graph import describe_export
from faceae_export.graph._network import Network
from faceae_export.graph._precision import lower, measure_speedup

CPU = torch.device("cpu")


def make_coarse(network: Network, _: Precision) -> Network:
    """Disturb the weights more than any rounding would."""
    coarse = lower(network, "fp16")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in coarse.decoder.parameters():
            parameter.data *= 1 + 0.5 * torch.randn(parameter.shape)
    return coarse


@pytest.mark.parametrize(
    ("format_name", "name", "kind", "precision"),
    [
        ("onnx", "f.onnx", "generator", "fp16"),
        ("onnx", "f.onnx", "encoder", "fp16"),
        ("torchscript", "f.ts", "autoencoder", "bf16"),
        ("pt2", "f.pt2", "decoder", "bf16"),
    ],
)
def test_close_to_float32_and_told_in_the_report(
    source: TrainedModel,
    example: Callable[..., Any],
    tmp_path: Path,
    format_name: FormatName,
    name: str,
    kind: Kind,
    precision: Precision,
) -> None:
    path = tmp_path / name
    report = export_model(source, format_name, kind, path, CPU, precision=precision)
    written = json.loads(report.report_path.read_text())
    assert written["metadata"]["precision"] == report.info.precision == precision
    assert written["psnr_db"] == report.parity.psnr_db
    assert report.parity.psnr_db == min(batch["psnr_db"] for batch in written["batches"])
    assert 35 <= report.parity.psnr_db < 110
    assert report.speedup is not None
    assert written["speedup_over_fp32"] == report.speedup > 0
    assert report.gains_speed is (report.speedup >= 1.1)
    session = open_session(path, CPU)
    assert session.info == describe_export(source, kind, precision)
    inputs, expected = example(kind, 3)
    found = session.run(*inputs.values())
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected.astype(np.float64)).mean() < 0.02 * np.ptp(expected)


def test_weights_are_halved_and_ports_are_not(source: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    export_model(source, "onnx", "generator", path, CPU, precision="fp16")
    graph = onnx.load(path).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert types["decoder.0.product.weight"] == onnx.TensorProto.FLOAT16
    assert types["factor"] == onnx.TensorProto.FLOAT
    ports = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ports == [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8]


def test_float32_has_no_speed_to_compare(reports: dict[str, Any]) -> None:
    report = reports["decoder.onnx"]
    assert (report.info.precision, report.speedup, report.gains_speed) == ("fp32", None, False)
    assert report.parity.psnr_db > 100


def test_too_coarse_is_kept_only_by_force(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceae_export._export, "lower", make_coarse)
    path = tmp_path / "d.ts"
    with pytest.raises(
        FaceaeError, match=r"--precision fp16: PSNR is .* dB .* where 35 are asked.*--force keeps"
    ):
        export_model(source, "torchscript", "decoder", path, CPU, precision="fp16")
    assert list(tmp_path.iterdir()) == []
    report = export_model(source, "torchscript", "decoder", path, CPU, precision="fp16", force=True)
    assert path.exists()
    assert report.parity.psnr_db is not None
    assert report.parity.psnr_db < 35


def test_numbers_that_overflow_are_not_kept_even_by_force(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(network: Network, precision: Precision) -> Network:
        lowered = lower(network, precision)
        nn.init.constant_(next(lowered.decoder[1].parameters()), np.nan)
        return lowered

    monkeypatch.setattr(faceae_export._export, "lower", overflow)
    with pytest.raises(FaceaeError, match=r"values are not finite; .* layer 2 of 4"):
        export_model(
            source,
            "torchscript",
            "decoder",
            tmp_path / "d.ts",
            CPU,
            precision="bf16",
            force=True,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("format_name", "name", "precision", "formats"),
    [
        ("onnx", "d.onnx", "bf16", "torchscript, pt2"),
        ("weights", "d.safetensors", "fp16", "onnx, torchscript, pt2"),
    ],
)
def test_format_without_the_precision(
    source: TrainedModel,
    tmp_path: Path,
    format_name: FormatName,
    name: str,
    precision: Precision,
    formats: str,
) -> None:
    with pytest.raises(FaceaeError, match=f"--precision {precision}: is there for {formats} only"):
        export_model(source, format_name, "decoder", tmp_path / name, CPU, precision=precision)


def test_lowering_leaves_the_model_as_it_was(source: TrainedModel) -> None:
    lowered = lower(Network.of(source.model), "bf16")
    assert {parameter.dtype for parameter in lowered.decoder.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in source.model.parameters()} == {torch.float32}


def test_speedup_is_the_ratio_of_the_best_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Clocked:
        """Takes so long for its runs, in turn; the first prepares."""

        def __init__(self, *seconds: float) -> None:
            self.seconds = iter(seconds)

        def run(self, *_: object) -> None:
            nonlocal now
            now += next(self.seconds)

    monkeypatch.setattr("time.perf_counter", lambda: now)
    session: Any = Clocked(9, 2, 5, 3, 3, 3)
    full: Any = Clocked(1, 8, 7, 6, 8, 8)
    assert measure_speedup(session, full, []) == 3
