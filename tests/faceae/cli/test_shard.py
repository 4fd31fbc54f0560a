"""`faceae shard`, `faceae verify` and `faceae info` as a user meets them."""

import json
import re
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae_shards import open_dataset

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(tmp_path: Path, face_folder: Path) -> Path:
    """Two people's pictures and a file that is none."""
    folder = tmp_path / "photos"
    for person in sorted(face_folder.iterdir())[:2]:
        (folder / person.name).mkdir(parents=True)
        for file in person.iterdir():
            (folder / person.name / file.name).write_bytes(file.read_bytes())
    return folder


def shard(source: Path, out: Path, *options: str) -> int:
    return run(["shard", str(source), str(out), "--workers", "1", *options])


def test_shard_info_verify(source: Path, tmp_path: Path, capsys: Capture) -> None:
    (source / "person_00" / "bad.jpg").write_bytes(b"no")
    (source / "person_00" / "README").touch()
    out = tmp_path / "out"
    options = ("--crop", "160", "--size", "32", "--split", "0.5,0.5,0", "--encoding", "npy")
    assert shard(source, out, *options) == 0
    told = capsys.readouterr().out
    assert f"{out} is complete: 4 train, 4 valid images\nsplit by person" in told
    assert "ignored, not named like an image: 1 files" in told
    assert "rejected, not an image: 1 (person_00/bad.jpg)" in told

    assert run(["info", str(out)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"image size +32x32", told)
    assert re.search(r"encoding +npy", told)
    assert re.search(r"rejected +1 not an image", told)

    assert run(["info", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hash"] == open_dataset(out).hash

    assert run(["verify", str(out), "--workers", "1"]) == 0
    assert "is sound: 8 images in 2 shards" in capsys.readouterr().out


def test_same_command_again(source: Path, tmp_path: Path, capsys: Capture) -> None:
    assert shard(source, tmp_path / "out") == 0
    assert shard(source, tmp_path / "out") == 0
    assert "was complete already" in capsys.readouterr().out


def test_verify_names_each_damaged_file(source: Path, tmp_path: Path, capsys: Capture) -> None:
    shard(source, tmp_path / "out")
    (tmp_path / "out/train/train-000000.idx").unlink()
    (tmp_path / "out/rejected.jsonl").unlink()
    capsys.readouterr()
    assert run(["verify", str(tmp_path / "out"), "--workers", "1"]) == 1
    told = capsys.readouterr()
    assert told.out == "rejected.jsonl is missing\ntrain/train-000000.idx is missing\n"
    assert "is not sound (problems: 2); --reindex" in told.err


def test_adopt(source: Path, tmp_path: Path, capsys: Capture) -> None:
    packed = tmp_path / "out"
    shard(source, packed, "--split", "0.5,0.5,0")
    foreign = tmp_path / "foreign"
    for split in ("train", "valid"):
        (foreign / split).mkdir(parents=True)
        (packed / split / f"{split}-000000.tar").rename(foreign / split / "0.tar")
    capsys.readouterr()
    assert run(["adopt", str(foreign), "--workers", "1"]) == 0
    told = capsys.readouterr().out
    assert f"{foreign} is a dataset now: 4 train, 4 valid images in 2 shards" in told
    assert run(["info", str(foreign)]) == 0
    assert "adopted foreign, 8 images" in capsys.readouterr().out
    assert run(["adopt", str(foreign)]) == 1
    assert "is a dataset already" in capsys.readouterr().err


def test_adopt_is_for_folders(capsys: Capture) -> None:
    assert run(["adopt", "s3://bucket/faces"]) == 1
    assert "s3://bucket/faces is not a folder of this machine" in capsys.readouterr().err


def test_verify_reindex(source: Path, tmp_path: Path, capsys: Capture) -> None:
    shard(source, tmp_path / "out")
    (tmp_path / "out/train/train-000000.idx").unlink()
    capsys.readouterr()
    assert run(["verify", str(tmp_path / "out"), "--workers", "1", "--reindex"]) == 0
    told = capsys.readouterr().out
    assert "train/train-000000.idx was rebuilt" in told
    assert "is sound" in told


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


@pytest.mark.parametrize("verb", ["shard", "verify", "info"])
def test_missing_input(verb: str, tmp_path: Path, capsys: Capture) -> None:
    arguments = [str(tmp_path / "nowhere"), *([str(tmp_path / "out")] if verb == "shard" else [])]
    assert run([verb, *arguments]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert "nowhere does not exist; give a folder" in told[0]
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
