"""ONNX files in int8: close to float32, and computed in integers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import faceae_export.int8._quantize
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, export_model, open_session
from faceae_export.graph import describe_export

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["decoder", "generator"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def quantized(trained: TrainedModel, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / f"{kind}.onnx"
    export_model(trained, "onnx", kind, path, CPU, precision="int8")
    return path


def test_close_to_float32_with_psnr_and_speed_in_the_report(
    trained: TrainedModel, example: Callable[..., Any], quantized: Path, kind: Kind
) -> None:
    report = json.loads(quantized.with_name(quantized.name + ".json").read_text())
    assert report["metadata"]["precision"] == "int8"
    assert 35 <= report["psnr_db"] < 60
    assert report["speedup_over_fp32"] > 0
    session = open_session(quantized, CPU)
    assert session.info == describe_export(trained, kind, "int8")
    inputs, expected = example(kind, 5)
    found = session.run(*inputs.values())
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected.astype(np.float64)).mean() < 0.02 * np.ptp(expected)


def test_weights_are_int8_with_a_scale_a_channel(quantized: Path, trained: TrainedModel) -> None:
    model = onnx.load(quantized)
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    }
    decoder = trained.model.decoder
    num_convs = sum(isinstance(layer, torch.nn.ConvTranspose2d) for layer in decoder.modules())
    assert len(weights) >= num_convs
    assert all(np.abs(values).max() <= 64 for values in weights.values()), "7 bits"
    num_scales = [
        len(onnx.numpy_helper.to_array(tensor))
        for tensor in model.graph.initializer
        if tensor.name.endswith("_scale") and len(tensor.dims) == 1
    ]
    assert max(num_scales) > 1


def test_a_graph_left_in_floats_is_refused(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        faceae_export.int8._quantize,
        "_HEAVY",
        tuple(set(faceae_export.int8._quantize._HEAVY) - {"Conv"}),
    )
    with pytest.raises(FaceaeError, match=r"int8'`: ONNX Runtime .* \((Fused)?Conv\).* in floats"):
        export_model(trained, "onnx", "decoder", tmp_path / "d.onnx", CPU, precision="int8")
    assert list(tmp_path.iterdir()) == []
