"""faceae info: what a dataset contains, as text and as JSON."""

import json
import re
from pathlib import Path

import pytest

from faceae.cli import run
from faceae_shards import open_dataset

Capture = pytest.CaptureFixture[str]


def test_text(packed: Path, capsys: Capture) -> None:
    assert run(["info", str(packed)]) == 0
    text = capsys.readouterr().out
    for row in (
        r"source .*photos, 8 images",
        r"encoding +jpg",
        r"image size +32x32",
        r"split by +person, seed 0",
        r"train +4 images, 1 shards",
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
