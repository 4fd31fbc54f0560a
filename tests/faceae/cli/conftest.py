"""The exports of a small run, to be read only; and photographs and a dataset to change."""

from pathlib import Path

import numpy as np
import pytest

import faceae_shards
from faceae.cli import run
from faceae_shards.faces import TARGETS, Face
from tests.conftest import draw_picture


@pytest.fixture(scope="session")
def exported(fitted_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generator.onnx, generator.ts and decoder.onnx of `fitted_run`."""
    folder = tmp_path_factory.mktemp("exported")
    for verb, kind, name in (
        ("onnx", "generator", "generator.onnx"),
        ("torchscript", "generator", "generator.ts"),
        ("onnx", "decoder", "decoder.onnx"),
    ):
        out = folder / name
        assert run(["export", verb, str(fitted_run), "--part", kind, str(out)]) == 0
    return folder


@pytest.fixture
def group_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A picture in which a stand-in for the detector finds two faces."""
    path = tmp_path / "group.jpg"
    draw_picture(np.random.default_rng(0), 100, 90).save(path)
    face = Face(box=(0, 0, 9, 9), score=1, landmarks=TARGETS / 2)
    monkeypatch.setattr("faceae.framing.find_faces", lambda *args, **options: [face])
    monkeypatch.setattr("faceae_shards.faces.find_faces", lambda *args, **options: [face, face])
    return str(path)


@pytest.fixture
def source(tmp_path: Path, face_folder: Path) -> Path:
    """Two people's pictures and a file that is none."""
    folder = tmp_path / "photos"
    for person in sorted(face_folder.iterdir())[:2]:
        (folder / person.name).mkdir(parents=True)
        for file in person.iterdir():
            (folder / person.name / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def packed(source: Path, tmp_path: Path) -> Path:
    """The pictures of `source` as a dataset: a shard of 4 images for train and one for valid."""
    out = tmp_path / "packed"
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=source, out=out, crop=160, size=32, split=(0.5, 0.5, 0), workers=1
        )
    )
    return out
