"""What is common to both formats: the check before a file is kept."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import faceae_export._export
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import ExportReport, FormatName, Kind, export_model, open_session
from faceae_export.formats._torch import TorchSession
from faceae_export.graph import describe_export
from faceae_export.graph._network import Network

CPU = torch.device("cpu")
BOTH: list[tuple[FormatName, str]] = [("onnx", "file.onnx"), ("torchscript", "file.pt")]


def rewrite_wrongly(network: Network) -> Network:
    """Shift the biases of each half's third layer: an error that the last layers pass on."""
    wrong = faceae_export.graph._rewrite.rewrite_network(network)
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
    wrong = faceae_export.graph._rewrite.rewrite_network(network)
    wrong.decoder[-1] = FrozenBatch(wrong.decoder[-1])
    return wrong


def test_reports(source: TrainedModel, reports: dict[str, ExportReport]) -> None:
    for name, report in reports.items():
        kind = report.info.kind
        assert name.startswith(kind)
        assert report.info == describe_export(source, kind)
        assert report.num_bytes == report.path.stat().st_size
        assert [batch.batch_size for batch in report.parity.batches] == [1, 7, 64]
        assert report.parity.num_faces == 1 + 7 + 64
        assert report.parity.max_error <= (1 if report.info.output.dtype == "uint8" else 1e-4)


def test_export_leaves_the_file_and_its_report(
    exported: Path, reports: dict[str, ExportReport]
) -> None:
    names = {path.name for path in exported.iterdir()}
    assert names == reports.keys() | {f"{name}.json" for name in reports}


def test_written_report_describes_the_file(reports: dict[str, ExportReport]) -> None:
    for name, report in reports.items():
        written = json.loads(report.report_path.read_text())
        assert written == report.to_json()
        assert written["file"] == name
        assert written["num_bytes"] == report.path.stat().st_size
        sha256 = hashlib.sha256(report.path.read_bytes()).hexdigest()
        (file,) = written["files"]
        assert file == {"name": name, "num_bytes": written["num_bytes"], "sha256": sha256}
        assert written["metadata"] == report.info.to_metadata()
        assert written["rewritten"] is True
        assert written["max_error"] == max(batch["max_error"] for batch in written["batches"])
        assert all(0 <= batch["mean_error"] <= batch["max_error"] for batch in written["batches"])
        assert all(batch["seconds"] > 0 for batch in written["batches"])
        assert written["versions"]["torch"] == torch.__version__


def test_without_rewriting(source: TrainedModel, tmp_path: Path) -> None:
    report = export_model(
        source, "torchscript", "decoder", tmp_path / "plain.ts", CPU, rewrite=False
    )
    assert json.loads(report.report_path.read_text())["rewritten"] is False
    assert report.parity.max_error < 1e-6


def test_session_that_checks_runs_whole_batches(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces, a file would never meet the largest batch."""
    sizes = []
    run = TorchSession.run

    def run_and_record(session: TorchSession, *inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs[0]))
        return run(session, *inputs)

    monkeypatch.setattr(TorchSession, "run", run_and_record)
    export_model(source, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert sizes == [1, 7, 64]


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
    source: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_name: FormatName,
    name: str,
    kind: Kind,
    layer: str,
) -> None:
    monkeypatch.setattr(faceae_export._export, "rewrite_network", rewrite_wrongly)
    with pytest.raises(FaceaeError, match=r"does not compute .*batch 1\): ") as error:
        export_model(source, format_name, kind, tmp_path / name, CPU)
    assert f"the difference starts in layer {layer}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_frozen_batch_size_is_found_out(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceae_export._export, "rewrite_network", freeze_batch)
    with pytest.raises(
        FaceaeError, match=r"batch 7\): it returns float32 \(2, 3, 32, 32\).*layer 4 of 4"
    ):
        export_model(source, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite(tmp_path: Path, source: TrainedModel) -> None:
    model = type(source.model)(source.model.config).eval()
    nn.init.constant_(model.get_parameter("decoder.0.weight"), np.nan)
    broken = TrainedModel(model=model, dataset_hash="", crop=None, sampler=None)
    with pytest.raises(FaceaeError, match=r"differ by up to nan, .*starts in layer 1 of 4"):
        export_model(broken, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("format_name", "name"), BOTH)
def test_interrupted_while_writing_keeps_the_older_file(
    source: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_name: FormatName,
    name: str,
) -> None:
    def check_parity(*_: object, **__: object) -> None:
        assert (tmp_path / f"{name}.new.faceae-part" / name).stat().st_size > 10_000
        raise KeyboardInterrupt

    monkeypatch.setattr(faceae_export._export, "check_parity", check_parity)
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        export_model(source, format_name, "decoder", tmp_path / name, CPU)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


def test_layers_that_agree_put_the_blame_on_the_file(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TorchSession, "run", lambda _, z_NZ: np.ones((len(z_NZ), 3, 32, 32)))
    with pytest.raises(FaceaeError, match=r"layers agree in torch, so .* in TorchScript in torch"):
        export_model(source, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert list(tmp_path.iterdir()) == []


def test_report_that_cannot_be_written_keeps_no_file(source: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "file.ts.json").mkdir()
    with pytest.raises(OSError, match=r"file\.ts\.json"):
        export_model(source, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert [path.name for path in tmp_path.iterdir()] == ["file.ts.json"]


def test_suffix_in_capitals(source: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "G.ONNX"
    assert export_model(source, "onnx", "decoder", path, CPU).path == path
    assert open_session(path, CPU).info.kind == "decoder"


@pytest.mark.parametrize(("format_name", "suffix"), [("onnx", ".onnx"), ("torchscript", ".ts")])
def test_suffix_that_could_not_be_opened_again(
    source: TrainedModel, tmp_path: Path, format_name: FormatName, suffix: str
) -> None:
    with pytest.raises(FaceaeError, match=rf"-o .*file\.bin: the file must end in \{suffix}"):
        export_model(source, format_name, "decoder", tmp_path / "file.bin", CPU)


def test_openvino_that_is_not_installed(
    source: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(FaceaeError, match=r"not installed: pip install 'faceae\[openvino\]'"):
        export_model(source, "openvino", "decoder", tmp_path / "d.xml", CPU)
    assert list(tmp_path.iterdir()) == []
