"""The report on an export, and the JSON file beside it."""

import hashlib
import json
from typing import Any

import torch

from faceae.runs import TrainedModel
from faceae_export import ExportReport
from faceae_export.graph import describe_export


def test_reports(trained: TrainedModel, reports: dict[str, ExportReport]) -> None:
    for name, report in reports.items():
        kind = report.info.kind
        assert name.startswith(kind)
        assert report.info == describe_export(trained, kind)
        assert report.num_bytes == report.path.stat().st_size
        assert [batch.batch_size for batch in report.parity.batches] == [1, 7, 64]
        assert report.parity.num_faces == 1 + 7 + 64
        assert report.parity.max_error <= (1 if report.info.output.dtype == "uint8" else 1e-4)


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


def test_float32_has_no_speed_to_compare(reports: dict[str, Any]) -> None:
    report = reports["decoder.onnx"]
    assert (report.info.precision, report.speedup, report.gains_speed) == ("fp32", None, False)
    assert report.parity.psnr_db > 100
