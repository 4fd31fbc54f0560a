"""The check of an exported file against the model: a wrong file is not kept."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from torch import nn

import faceae_export._export
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import FormatName, Kind, export_model
from faceae_export.formats._torch import TorchSession
from faceae_export.graph import Network, rewrite_network

CPU = torch.device("cpu")


def rewrite_wrongly(network: Network) -> Network:
    """Shift the biases of each half's third layer: an error that the last layers pass on."""
    wrong = rewrite_network(network)
    for half in (wrong.encoder, wrong.decoder):
        for name, parameter in half[2].named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(parameter, 0.5)
    return wrong


class FrozenBatch(nn.Module):
    """Right for the traced batch of 2 only."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        faces: torch.Tensor = self.layer(maps)[:2]
        return faces


def freeze_batch(network: Network) -> Network:
    wrong = rewrite_network(network)
    wrong.decoder[-1] = FrozenBatch(wrong.decoder[-1])
    return wrong


@pytest.mark.parametrize(
    ("format_name", "name", "kind", "layer"),
    [
        ("onnx", "file.onnx", "decoder", "3 of 4, ConvTranspose2d(16, 8, "),
        ("torchscript", "file.pt", "decoder", "3 of 4, ConvTranspose2d(16, 8, "),
        ("torchscript", "file.pt", "generator", "3 of 4, ConvTranspose2d(16, 8, "),
        ("torchscript", "file.pt", "encoder", "3 of 4, Conv2d(16, 32, "),
        ("torchscript", "file.pt", "autoencoder", "3 of 8, Conv2d(16, 32, "),
    ],
)
def test_file_that_computes_something_else_is_not_kept(
    trained: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_name: FormatName,
    name: str,
    kind: Kind,
    layer: str,
) -> None:
    monkeypatch.setattr(faceae_export._export, "rewrite_network", rewrite_wrongly)
    with pytest.raises(FaceaeError, match=r"does not compute .*batch 1\): ") as error:
        export_model(trained, format_name, kind, tmp_path / name, CPU)
    assert f"the difference starts in layer {layer}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_frozen_batch_size_is_found_out(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceae_export._export, "rewrite_network", freeze_batch)
    with pytest.raises(
        FaceaeError, match=r"batch 7\): it returns float32 \(2, 3, 32, 32\).*layer 4 of 4"
    ):
        export_model(trained, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite(tmp_path: Path, trained: TrainedModel) -> None:
    model = type(trained.model)(trained.model.config).eval()
    nn.init.constant_(model.get_parameter("decoder.0.weight"), np.nan)
    broken = TrainedModel(model=model, dataset_hash="", crop=None, sampler=None)
    with pytest.raises(FaceaeError, match=r"values are not finite; .*starts in layer 1 of 4"):
        export_model(broken, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


def test_layers_that_agree_put_the_blame_on_the_file(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TorchSession, "run", lambda _, z_NZ: np.ones((len(z_NZ), 3, 32, 32)))
    with pytest.raises(FaceaeError, match=r"layers agree in torch, so .* in TorchScript in torch"):
        export_model(trained, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


SCRIPT_ERROR = """The following operation failed in the TorchScript interpreter.
Traceback of TorchScript, serialized code (most recent call last):
RuntimeError: Expected all tensors to be on the same device
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError(SCRIPT_ERROR), "RuntimeError: Expected all tensors to be on the same device"),
        (torch.OutOfMemoryError("CUDA out of memory.\nGPU 0"), "CUDA out of memory."),
        (ort_errors.EPFail("[ONNXRuntimeError] : 11"), "[ONNXRuntimeError] : 11"),
    ],
)
def test_file_that_does_not_run_is_one_line(
    trained: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(TorchSession, "run", fail)
    with pytest.raises(FaceaeError, match=r"^the exported file does not run .*batch 1\)") as raised:
        export_model(trained, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert f": {reason}; it was not kept; use `device='cpu'`" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_float_faces_agree_but_for_rounding(trained: TrainedModel, tmp_path: Path) -> None:
    report = export_model(
        trained, "torchscript", "decoder", tmp_path / "plain.ts", CPU, rewrite=False
    )
    assert report.parity.max_error < 1e-6
    psnr_db = report.parity.psnr_db
    assert psnr_db is None or psnr_db > 100


def make_steep(trained: TrainedModel) -> TrainedModel:
    """A model whose last layer enlarges the rounding errors of the others."""
    model = copy.deepcopy(trained.model)
    with torch.no_grad():
        convs = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose2d)]
        convs[-1].weight *= 300
    return replace(trained, model=model)


def test_low_psnr_is_kept_only_by_force(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "d.ts"
    steep = make_steep(trained)
    with pytest.raises(FaceaeError, match=r"`precision='bf16'`: .* dB .*`force=True` keeps"):
        export_model(steep, "torchscript", "decoder", path, CPU, precision="bf16")
    assert list(tmp_path.iterdir()) == []
    report = export_model(steep, "torchscript", "decoder", path, CPU, precision="bf16", force=True)
    assert path.exists()
    assert report.parity.psnr_db is not None
    assert report.parity.psnr_db < 35


def test_overflow_is_not_kept_even_by_force(trained: TrainedModel, tmp_path: Path) -> None:
    model = copy.deepcopy(trained.model)
    with torch.no_grad():
        model.decoder[3].weight *= 1e9  # beyond the range of fp16
    huge = replace(trained, model=model)
    path = tmp_path / "d.ts"
    with pytest.raises(FaceaeError, match=r"values are not finite; .* layer 2 of 4"):
        export_model(huge, "torchscript", "decoder", path, CPU, precision="fp16", force=True)
    assert list(tmp_path.iterdir()) == []
