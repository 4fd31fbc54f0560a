"""The folder of the web page is complete, or not written at all."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import MODEL_NAME, WebPrecision, export_web, open_session, page_files
from faceae_export.graph import describe_export
from faceae_export.web import _page as _web
from faceae_export.web._runtime import VERSION
from faceae_shards.faces import Place

PARTS = ("sampler", "decoder", "encoder")


@pytest.fixture(autouse=True)
def _without_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = {"ort.js": b"a script", "ort.wasm": b"a program"}
    monkeypatch.setattr(_web, "read_runtime", lambda tarball: runtime)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_folder_is_complete(trained: TrainedModel, tmp_path: Path, precision: WebPrecision) -> None:
    page = export_web(trained, tmp_path / "page", precision=precision, force=True)
    files = {path.relative_to(page.path).as_posix() for path in page.path.rglob("*.*")}
    reports = {f"{part}.onnx.json" for part in PARTS}
    runtime = {f"onnxruntime-web-{VERSION}/{name}" for name in ("ort.js", "ort.wasm")}
    others = {"sw.js", "server.json", f"onnxruntime-web-{VERSION}"}
    assert reports | runtime | others < files
    kept = json.loads(find(r"const FILES = (.*);", page.path / "sw.js"))
    assert set(kept) == files - reports - others
    assert f'RUNTIME = "./onnxruntime-web-{VERSION}/"' in read(page.path / "browser.js")
    for part in PARTS:
        session = open_session(page.path / f"{part}.onnx", torch.device("cpu"))
        assert session.info.kind == part
    decoder = open_session(page.path / "decoder.onnx", torch.device("cpu"))
    assert decoder.info.precision == precision
    assert json.loads(page.report.report_path.read_text())["metadata"]["precision"] == precision
    assert page.num_bytes > page.report.num_bytes > 10_000


@pytest.fixture(scope="module")
def files(trained: TrainedModel) -> dict[str, bytes]:
    return page_files(describe_export(trained, "decoder"), trained.directions)


def test_directions_travel_as_one_array(trained: TrainedModel, files: dict[str, bytes]) -> None:
    assert trained.directions is not None
    facts = json.loads(files[MODEL_NAME])
    assert facts["attributes"] == list(trained.directions.names)
    vectors = np.frombuffer(files["directions.bin"], "<f4").reshape(-1, facts["latentSize"])
    np.testing.assert_array_equal(vectors, trained.directions.vectors)
    without = page_files(describe_export(trained, "decoder"), None)
    assert json.loads(without[MODEL_NAME])["attributes"] == []
    assert "directions.bin" not in without


def test_guide_is_where_aligned_faces_are(files: dict[str, bytes]) -> None:
    guide = json.loads(files[MODEL_NAME])["guide"]
    (left, right), mouth = guide["eyes"], guide["mouth"]
    crop = 100  # that of the model
    assert [left[0] * crop + 39, left[1] * crop + 59] == pytest.approx([69.745, 111], abs=0.01)
    assert left[1] == right[1] < mouth[1] < 1
    assert left[0] < mouth[0] < right[0]


def test_guide_is_where_unaligned_faces_are(trained: TrainedModel) -> None:
    place = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))
    for known, eyes in ((place, [[0.3, 0.4], [0.7, 0.4]]), (None, None)):
        other = replace(trained, aligned=False, place=known)
        guide = json.loads(page_files(describe_export(other, "decoder"), None)[MODEL_NAME])["guide"]
        assert (guide and guide["eyes"]) == eyes


def test_manifest_and_its_icons(files: dict[str, bytes]) -> None:
    for icon in json.loads(files["manifest.json"])["icons"]:
        with Image.open(io.BytesIO(files[icon["src"]])) as image:
            assert icon["sizes"] == "{}x{}".format(*image.size)


def test_another_model_is_another_version(trained: TrainedModel, files: dict[str, bytes]) -> None:
    other = page_files(describe_export(replace(trained, crop=90), "decoder"), trained.directions)
    assert other["sw.js"] != files["sw.js"]
    again = page_files(describe_export(trained, "decoder"), trained.directions)
    assert again == files


def test_no_script_or_style_is_inline(files: dict[str, bytes]) -> None:
    html = files["index.html"].decode()
    assert "script-src 'self' 'wasm-unsafe-eval';" in html
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", html)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def find(pattern: str, path: Path) -> str:
    found = re.search(pattern, read(path))
    assert found
    return found[1]


def test_a_failed_export_leaves_nothing(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="needs fitted latents"):
        export_web(replace(trained, sampler=None), tmp_path / "page", precision="fp16")
    assert not any(tmp_path.iterdir())


def test_an_existing_folder_is_refused_and_kept(trained: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(FaceaeError, match="exists already; name a new folder"):
        export_web(trained, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
