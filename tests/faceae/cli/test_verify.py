"""faceae verify: each damaged file by name, and rebuilt indices."""

from pathlib import Path

import pytest

from faceae.cli import run

Capture = pytest.CaptureFixture[str]


def test_sound_dataset(packed: Path, capsys: Capture) -> None:
    assert run(["verify", str(packed), "--workers", "1"]) == 0
    assert "8 images in 2 shards" in capsys.readouterr().out


def test_each_damaged_file_is_named(packed: Path, capsys: Capture) -> None:
    (packed / "train/train-000000.idx").unlink()
    (packed / "rejected.jsonl").unlink()
    assert run(["verify", str(packed), "--workers", "1"]) == 1
    captured = capsys.readouterr()
    names = [line.split()[0] for line in captured.out.splitlines()]
    assert names == ["rejected.jsonl", "train/train-000000.idx"]
    assert "--reindex" in captured.err


def test_reindex(packed: Path, capsys: Capture) -> None:
    (packed / "train/train-000000.idx").unlink()
    assert run(["verify", str(packed), "--workers", "1", "--reindex"]) == 0
    assert "train/train-000000.idx" in capsys.readouterr().out
    assert (packed / "train/train-000000.idx").exists()


def test_missing_dataset(tmp_path: Path, capsys: Capture) -> None:
    assert run(["verify", str(tmp_path / "nowhere")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "nowhere") in line
