"""Requests that cannot be met are refused before any work."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import FormatName, Kind, Precision, export_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(("format_name", "suffix"), [("onnx", ".onnx"), ("torchscript", ".ts")])
def test_suffix_that_could_not_be_opened_again(
    trained: TrainedModel, tmp_path: Path, format_name: FormatName, suffix: str
) -> None:
    with pytest.raises(FaceaeError, match=rf"file\.bin: the file name must end in \{suffix}"):
        export_model(trained, format_name, "decoder", tmp_path / "file.bin", CPU)


def test_format_without_the_kind(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"`kind='morph'`: weights can hold only the decoder"):
        export_model(trained, "weights", "morph", tmp_path / "w.pt", CPU)


@pytest.mark.parametrize(
    ("format_name", "name", "precision", "formats"),
    [
        ("onnx", "d.onnx", "bf16", "torchscript, pt2"),
        ("weights", "d.safetensors", "fp16", "onnx, torchscript, pt2"),
    ],
)
def test_format_without_the_precision(
    trained: TrainedModel,
    tmp_path: Path,
    format_name: FormatName,
    name: str,
    precision: Precision,
    formats: str,
) -> None:
    with pytest.raises(FaceaeError, match=f"`precision='{precision}'` .* for {formats} only"):
        export_model(trained, format_name, "decoder", tmp_path / name, CPU, precision=precision)


@pytest.mark.parametrize("kind", ["encoder", "autoencoder", "morph"])
def test_int8_of_kinds_that_cannot_be_calibrated(
    trained: TrainedModel, tmp_path: Path, kind: Kind
) -> None:
    with pytest.raises(FaceaeError, match=rf"`precision='int8'` .* {kind} cannot be drawn"):
        export_model(trained, "onnx", kind, tmp_path / "m.onnx", CPU, precision="int8")


def test_int8_is_not_checked_on_a_gpu(trained: TrainedModel, tmp_path: Path) -> None:
    cuda = torch.device("cuda", 0)
    with pytest.raises(FaceaeError, match=r"`precision='int8'`: .* CPU only, .*`device='cpu'`"):
        export_model(trained, "onnx", "decoder", tmp_path / "d.onnx", cuda, precision="int8")


def test_int8_without_fitted_latents(trained: TrainedModel, tmp_path: Path) -> None:
    unfitted = replace(trained, sampler=None)
    with pytest.raises(FaceaeError, match=r"`precision='int8'` .*`faceae fit`"):
        export_model(unfitted, "onnx", "decoder", tmp_path / "d.onnx", CPU, precision="int8")


def test_int8_without_rewriting(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    with pytest.raises(FaceaeError, match=r"`rewrite=False`: .* no int8 kernels"):
        export_model(trained, "onnx", "decoder", path, CPU, precision="int8", rewrite=False)


def test_sampling_is_always_in_float32(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"`precision='fp16'`.*leave it out"):
        export_model(trained, "onnx", "sampler", tmp_path / "s.onnx", CPU, precision="fp16")
