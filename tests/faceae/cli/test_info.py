"""faceae info: what a dataset contains, as text, as JSON and as a contact sheet."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceae.cli import run
from faceae_shards import Dataset, open_dataset

Capture = pytest.CaptureFixture[str]


def test_text(packed: Path, capsys: Capture) -> None:
    assert run(["info", str(packed)]) == 0
    text = capsys.readouterr().out
    for row in (
        r"source .*photos, 8 images",
        r"encoding +jpg",
        r"image size +32x32",
        r"split by +person, seed 0",
        r"train +4 images, 1 shard,",
        r"rejected +none",
    ):
        assert re.search(f"^{row}", text, re.M), row


def test_json(packed: Path, capsys: Capture) -> None:
    assert run(["info", str(packed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hash"] == open_dataset(packed).hash


def test_missing_dataset(tmp_path: Path, capsys: Capture) -> None:
    assert run(["info", str(tmp_path / "nowhere")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "nowhere") in line


def test_a_sheet_shows_every_split(dataset_jpg: Dataset, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "sheet.png"
    assert run(["info", str(dataset_jpg.path), "--preview", str(path)]) == 0
    assert "image size   32x32" in capsys.readouterr().out
    with Image.open(path) as picture:
        sheet = np.array(picture)
    title, tile = 16, 34
    assert sheet.shape == (3 * (title + 2) + (3 + 2 + 2) * tile, 8 * tile + 2, 3)
    assert (sheet[:title] < 128).any()
    assert not (sheet[title + 2 :][:32, 2:34] == 255).all()
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("sheet.gif", "must end in .png"), ("no/sheet.png", "there is no folder"), ("sheet", ".png")],
)
def test_a_sheet_that_cannot_be_written(
    dataset_jpg: Dataset,
    tmp_path: Path,
    capsys: Capture,
    name: str,
    message: str,
) -> None:
    assert run(["info", str(dataset_jpg.path), "--preview", str(tmp_path / name)]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"), [(b"x", "train-000000.tar is damaged"), (b"\0", "too few images")]
)
def test_a_damaged_shard_leaves_no_sheet(
    dataset_jpg: Dataset,
    tmp_path: Path,
    capsys: Capture,
    content: bytes,
    message: str,
) -> None:
    shutil.copytree(dataset_jpg.path, tmp_path / "copy")
    for tar in (tmp_path / "copy" / "train").glob("*.tar"):
        tar.write_bytes(content * tar.stat().st_size)
    assert run(["info", str(tmp_path / "copy"), "--preview", str(tmp_path / "s.png")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()
