"""`faceae synth` as a user meets it."""

from pathlib import Path

import pytest

from faceae.cli import run
from faceae.synthetic.celeba import MARKER

Capture = pytest.CaptureFixture[str]


def synth(out: Path, *options: str) -> int:
    return run(["synth", str(out), "--workers", "1", *options])


def test_synth_draws_and_says_what(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "drawn"
    out.mkdir()
    (out / MARKER).touch()
    assert synth(out, "--count", "40", "--seed", "2") == 0
    told = capsys.readouterr().out
    assert f"{out} is complete: 40 faces of" in told
    assert "kB per face" in told
    assert "interrupted" in told
    assert (out / "list_eval_partition.txt").is_file()
    assert not (out / MARKER).exists()


def test_synth_into_a_used_folder_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.txt").touch()
    assert synth(tmp_path, "--count", "4") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert f"faceae: error: {tmp_path} is not empty" in told.err


@pytest.mark.parametrize("options", [(), ("--count", "0"), ("--count", "x"), ("--count", "-3")])
def test_synth_wrong_count_is_a_usage_error(
    tmp_path: Path, capsys: Capture, options: tuple[str, ...]
) -> None:
    assert synth(tmp_path / "drawn", *options) == 2
    assert "--count" in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()


def test_synth_unwritable_out_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    assert synth(tmp_path / "file" / "drawn", "--count", "4") == 1
    assert capsys.readouterr().err.startswith("faceae: error: ")
