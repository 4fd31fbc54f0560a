"""faceae shard: what it prints, exit codes and errors."""

import re
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae_shards import open_dataset

Capture = pytest.CaptureFixture[str]


def shard(source: Path, out: Path, *options: str) -> int:
    return run(["shard", str(source), str(out), "--workers", "1", *options])


def test_summary_counts_what_was_packed_and_what_was_not(
    source: Path, tmp_path: Path, capsys: Capture
) -> None:
    (source / "person_00" / "bad.jpg").write_bytes(b"no")
    (source / "person_00" / "README").touch()
    out = tmp_path / "out"
    options = ("--crop", "160", "--size", "32", "--split", "0.5,0.5,0", "--encoding", "npy")
    assert shard(source, out, *options) == 0
    text = capsys.readouterr().out
    assert re.search(rf"{out} .*: 4 train, 4 valid images", text)
    assert "split by person" in text
    assert re.search(r"ignored.*: 1 file$", text, re.M)
    assert re.search(r"rejected, .*: 1 \(person_00/bad.jpg\)", text)
    dataset = open_dataset(out)
    assert (dataset.encoding, dataset.image_size) == ("npy", (32, 32))


def test_same_command_again(source: Path, tmp_path: Path, capsys: Capture) -> None:
    assert shard(source, tmp_path / "out") == 0
    assert shard(source, tmp_path / "out") == 0
    assert "was complete already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--crop", "-3"],
        ["--size", "0"],
        ["--size", "large"],
        ["--samples-per-shard", "0"],
        ["--workers", "0"],
        ["--seed", "-1"],
        ["--encoding", "png"],
        ["--max-rejected", "2"],
        ["--encoding", "npy"],
        ["--split", "0.9,0.1"],
        ["--split", "a,b,c"],
        ["--split", "0.9,0.9,0.9"],
        ["--split=-1,1,1"],
        ["--size", "64", "--crop", "32"],
    ],
)
def test_wrong_usage(source: Path, tmp_path: Path, capsys: Capture, options: list[str]) -> None:
    assert shard(source, tmp_path / "out", *options) == 2
    assert options[0].split("=")[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_source(tmp_path: Path, capsys: Capture) -> None:
    assert shard(tmp_path / "nowhere", tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "nowhere") in line
    assert not (tmp_path / "out").exists()


def test_full_disk(
    source: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceae_shards.dataset import _tar

    def write(self: object, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_tar._TarWriter, "_write", write)
    assert shard(source, tmp_path / "out") == 1
    assert "the disk is full; free some space and try again" in (capsys.readouterr().err)
    assert not list((tmp_path / "out").rglob("*.tar*"))


def test_interrupt(
    source: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(faceae_shards, "pack", interrupt, raising=False)
    assert shard(source, tmp_path / "out") == 130


def test_pictures_far_larger_than_the_crop_are_a_warning(
    source: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert shard(source, tmp_path / "out", "--crop", "32") == 0
    (line,) = (ln for ln in capsys.readouterr().out.splitlines() if ln.startswith("warning:"))
    assert "8 pictures" in line
    assert "add --align" in line


@pytest.mark.parametrize("options", [["--face", "all"], ["--align", "--crop", "200"]])
def test_options_of_alignment(
    source: Path, tmp_path: Path, capsys: Capture, options: list[str]
) -> None:
    assert shard(source, tmp_path / "out", *options) == 2
    assert "--align" in capsys.readouterr().err


def test_alignment_without_the_detector(
    source: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise faceae_shards.ShardsError("pip install 'faceae[align]'")

    monkeypatch.setattr("faceae_shards.packing._pack.check_detector", fail)
    assert shard(source, tmp_path / "out", "--align") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "faceae[align]" in line
    assert not (tmp_path / "out").exists()
