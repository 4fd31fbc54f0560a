"""The Python blocks of export/README.md run on exported files, and its tables name every key."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import faceae_export
from faceae.runs import TrainedModel
from faceae_export import ExportReport, FormatName, Kind, export_model
from faceae_export.formats import FORMATS

CPU = torch.device("cpu")
README = Path(faceae_export.__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = {
    title: code
    for section in TEXT.split("\n### ")[1:]
    for title in [section.partition("\n")[0]]
    for code in [re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)]
    if code
}
EXPORTS: dict[str, list[tuple[FormatName, Kind, str]]] = {
    "ONNX": [("onnx", "generator", "generator.onnx")],
    "TorchScript": [("torchscript", "encoder", "encoder.ts")],
    "torch.export": [("pt2", "decoder", "decoder.pt2")],
    "OpenVINO": [("openvino", "decoder", "decoder.xml")],
    "Triton": [("triton", "generator", "repository")],
    "Weights": [
        ("weights", "decoder", "decoder.safetensors"),
        ("weights", "decoder", "decoder.pt"),
    ],
}


def run_blocks(title: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in BLOCKS[title]:
        exec(compile(code, f"export/README.md, {title}", "exec"), names)
    return names


def test_every_format_is_opened() -> None:
    assert BLOCKS.keys() == EXPORTS.keys()
    assert {name for files in EXPORTS.values() for name, _, _ in files} == FORMATS.keys()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")
@pytest.mark.parametrize("title", EXPORTS)
def test_blocks_run(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    if title == "OpenVINO":
        pytest.importorskip("openvino")
    for format_name, kind, file in EXPORTS[title]:
        export_model(trained, format_name, kind, tmp_path / file, CPU)
    monkeypatch.chdir(tmp_path)
    names = run_blocks(title)
    result = np.asarray(names["latents" if title == "TorchScript" else "faces"])
    shapes = {
        "uint8": (len(result), 32, 32, 3),
        "float32": (len(result), 16) if title == "TorchScript" else (len(result), 3, 32, 32),
    }
    assert result.shape == shapes[str(result.dtype)]


def test_decoder_of_the_weights_is_the_models(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for format_name, kind, file in EXPORTS["Weights"]:
        export_model(trained, format_name, kind, tmp_path / file, CPU)
    monkeypatch.chdir(tmp_path)
    decoder = run_blocks("Weights")["decoder"]
    z_NZ = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(decoder(z_NZ[:, :, None, None]), trained.model.decode(z_NZ))


def list_keys(title: str) -> set[str]:
    """The keys in the first column of a section's table."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.M)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_tables_name_every_key(reports: dict[str, ExportReport]) -> None:
    written = json.loads(reports["generator.onnx"].report_path.read_text())
    assert list_keys("Report") == written.keys()
    edits = json.loads(reports["editor.onnx"].report_path.read_text())
    assert list_keys("Metadata") == written["metadata"].keys() | edits["metadata"].keys()


def test_tables_of_parts_and_formats(reports: dict[str, ExportReport]) -> None:
    for name, form in FORMATS.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", TEXT, re.M)
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[3] == ", ".join(form.precisions)
        assert all(suffix in cells[2] for suffix in form.suffixes)
    for report in reports.values():
        (row,) = re.findall(rf"^\| `{report.info.kind}` \|.*$", TEXT, re.M)
        for port in (*report.info.inputs, report.info.output):
            assert f"`{port.name}`: " in row
            assert port.dtype in row
