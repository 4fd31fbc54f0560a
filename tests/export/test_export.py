"""What is common to both formats: the check before a file is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import export._export
from export import ExportReport, ExportSource, Kind, export_onnx, export_torchscript
from faceae.errors import FaceaeError

CPU = torch.device("cpu")
Export = Callable[[ExportSource, Kind, Path, torch.device], ExportReport]
BOTH = [(export_onnx, "file.onnx"), (export_torchscript, "file.pt")]


def rewrite_wrongly(decoder: nn.Sequential) -> nn.Sequential:
    """Double the last bias: a small, everywhere visible error."""
    wrong = export._rewrite.rewrite_decoder(decoder)
    last = wrong[-2]
    assert isinstance(last, nn.ConvTranspose2d)
    assert last.bias is not None
    nn.init.constant_(last.bias, 0.5)
    return wrong


class FrozenBatch(nn.Module):
    """Right for the traced batch of 2 only."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        faces: torch.Tensor = self.decoder(z)[:2]
        return faces


def test_reports(source: ExportSource, reports: dict[str, ExportReport]) -> None:
    for name, report in reports.items():
        kind = report.info.kind
        assert name.startswith(kind)
        assert report.info == source.describe(kind)
        assert report.num_bytes == report.path.stat().st_size
        assert report.parity.num_faces == 1 + 7 + 64
        assert report.parity.max_error <= (1 if kind == "generator" else 1e-4)


def test_export_leaves_one_file_each(exported: Path, reports: dict[str, ExportReport]) -> None:
    assert {path.name for path in exported.iterdir()} == reports.keys()


@pytest.mark.parametrize(
    ("export_file", "name", "kind"),
    [
        (export_onnx, "file.onnx", "decoder"),
        (export_torchscript, "file.pt", "decoder"),
        (export_torchscript, "file.pt", "generator"),
    ],
)
def test_file_that_computes_something_else_is_not_kept(
    source: ExportSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    export_file: Export,
    name: str,
    kind: Kind,
) -> None:
    monkeypatch.setattr(export._export, "rewrite_decoder", rewrite_wrongly)
    with pytest.raises(FaceaeError, match=r"does not compute .*batch 1\): values differ by up to"):
        export_file(source, kind, tmp_path / name, CPU)
    assert list(tmp_path.iterdir()) == []


def test_frozen_batch_size_is_found_out(
    source: ExportSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export._export, "rewrite_decoder", FrozenBatch)
    with pytest.raises(FaceaeError, match=r"batch 7\): it returns float32 \(2, 3, 32, 32\)"):
        export_torchscript(source, "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite(tmp_path: Path, source: ExportSource) -> None:
    model = type(source.model)(source.model.config).eval()
    nn.init.constant_(model.get_parameter("decoder.0.weight"), np.nan)
    broken = ExportSource(model=model, dataset_hash="", sampler=None)
    with pytest.raises(FaceaeError, match="differ by up to nan"):
        export_torchscript(broken, "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("export_file", "name"), BOTH)
def test_interrupted_while_writing_keeps_the_older_file(
    source: ExportSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    export_file: Export,
    name: str,
) -> None:
    def check_parity(*_: object) -> None:
        assert (tmp_path / f"{name}.part").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(export._export, "check_parity", check_parity)
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        export_file(source, "decoder", tmp_path / name, CPU)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


@pytest.mark.parametrize(
    ("export_file", "suffix"), [(export_onnx, ".onnx"), (export_torchscript, ".ts")]
)
def test_suffix_that_could_not_be_opened_again(
    source: ExportSource, tmp_path: Path, export_file: Export, suffix: str
) -> None:
    with pytest.raises(FaceaeError, match=rf"-o .*file\.bin: the file must end in \{suffix}"):
        export_file(source, "decoder", tmp_path / "file.bin", CPU)
