"""An export appears complete, with its report, or not at all."""

from pathlib import Path

import pytest
import torch

import faceae_export._export
from faceae.runs import TrainedModel
from faceae_export import ExportReport, FormatName, export_model

CPU = torch.device("cpu")


def test_export_leaves_the_file_and_its_report(
    exported: Path, reports: dict[str, ExportReport]
) -> None:
    names = {path.name for path in exported.iterdir()}
    assert names == reports.keys() | {f"{name}.json" for name in reports}


@pytest.mark.parametrize(
    ("format_name", "name"), [("onnx", "file.onnx"), ("torchscript", "file.pt")]
)
def test_interrupted_while_writing_keeps_the_older_file(
    trained: TrainedModel,
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
        export_model(trained, format_name, "decoder", tmp_path / name, CPU)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


def test_report_that_cannot_be_written_keeps_no_file(trained: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "file.ts.json").mkdir()
    with pytest.raises(OSError, match=r"file\.ts\.json"):
        export_model(trained, "torchscript", "decoder", tmp_path / "file.ts", CPU)
    assert [path.name for path in tmp_path.iterdir()] == ["file.ts.json"]
