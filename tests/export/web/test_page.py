"""The folder of the web page is complete, or not written at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import WebPrecision, export_web, open_session
from faceae_export.web import _page as _web
from faceae_export.web._runtime import VERSION


@pytest.fixture(autouse=True)
def _without_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = {"ort.js": b"a script", "ort.wasm": b"a program"}
    monkeypatch.setattr(_web, "read_runtime", lambda tarball: runtime)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_folder_is_complete(trained: TrainedModel, tmp_path: Path, precision: WebPrecision) -> None:
    page = export_web(trained, tmp_path / "page", precision=precision, force=True)
    files = {path.relative_to(page.path).as_posix() for path in page.path.rglob("*.*")}
    assert files == {
        "faces.css",
        "faces.js",
        "generator.js",
        "generator.onnx",
        "generator.onnx.json",
        "index.html",
        "noise.js",
        f"onnxruntime-web-{VERSION}",
        f"onnxruntime-web-{VERSION}/ort.js",
        f"onnxruntime-web-{VERSION}/ort.wasm",
    }
    script = (page.path / "generator.js").read_text(encoding="utf-8")
    assert f'RUNTIME = "./onnxruntime-web-{VERSION}/"' in script
    session = open_session(page.path / "generator.onnx", torch.device("cpu"))
    assert (session.info.kind, session.info.precision) == ("generator", precision)
    assert json.loads(page.report.report_path.read_text())["metadata"]["precision"] == precision
    assert page.num_bytes > page.report.num_bytes > 10_000


def test_a_failed_export_leaves_nothing(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="needs fitted latents"):
        export_web(replace(trained, sampler=None), tmp_path / "page", precision="fp16")
    assert not any(tmp_path.iterdir())


def test_an_existing_folder_is_refused_and_kept(trained: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(FaceaeError, match="exists already; name a new folder"):
        export_web(trained, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
