"""faceae neighbours and faceae map."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards
from faceae.cli import run

OPTIONS = ("--loader", "webdataset", "--device", "cpu")


@pytest.fixture
def run_copy(attribute_run: Path, attribute_data: faceae_shards.Dataset, tmp_path: Path) -> Path:
    """A fitted run that may be written to."""
    path = tmp_path / "run"
    shutil.copytree(attribute_run, path)
    assert run(["fit", str(path), str(attribute_data.path), *OPTIONS]) == 0
    return path


def test_neighbours_of_photographs_and_drawn_faces(
    run_copy: Path,
    attribute_data: faceae_shards.Dataset,
    attribute_photos: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    photo = attribute_photos / "img_align_celeba" / "000001.jpg"
    argv = ["neighbours", str(run_copy), str(attribute_data.path), str(photo)]
    assert run([*argv, "-k", "3", "--numbers", "5", "--scale", "2", *OPTIONS]) == 0
    out = run_copy / "neighbours-train.png"
    first, query, *lines, number, a, b, c, reader, framed = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{out}: ")
    assert query.startswith(str(photo))
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert len(lines) == len((a, b, c)) == 3
    assert lines[0].split() == ["0.000", "img_align_celeba/000001.jpg"]
    assert number.startswith("face 5 of seed 0")
    assert reader.startswith("read by webdataset")
    assert framed == "photographs framed: aligned as in CelebA"
    with Image.open(out) as picture:
        assert picture.size == (4 * 66 + 2, 2 * 66 + 2)
        pixels = np.asarray(picture).astype(int)
    assert np.abs(pixels[2:66, 2:66] - pixels[2:66, 68:132]).mean() < 3


def test_map(
    run_copy: Path, attribute_data: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["map", str(run_copy), str(attribute_data.path), *OPTIONS]
    assert run([*argv, "--attribute", "Red"]) == 0
    assert f"{run_copy / 'map-test.png'}: 40 faces (test)" in capsys.readouterr().out
    with Image.open(run_copy / "map-test.png") as picture:
        assert picture.width == 1600


def test_bad_input(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    attribute_photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = [str(attribute_run), str(attribute_data.path)]
    photo = str(attribute_photos / "img_align_celeba" / "000001.jpg")
    picture = str(tmp_path / "n.png")
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(tmp_path / "black.jpg")
    for verb, argv, message in (
        ("neighbours", [*good, "-o", picture], "or --numbers"),
        ("neighbours", [*good, photo, "-o", picture, "-k", "161"], "-k must be 1 to 160"),
        ("neighbours", [*good, photo, "-o", picture, "-k", "999999"], "smaller -k or --scale"),
        ("neighbours", [*good, photo, "-o", str(tmp_path / "n.gif")], "n.gif: a picture must"),
        ("neighbours", [*good, photo, "-o", photo], "another file as --out"),
        ("neighbours", [*good, photo, "-o", picture, "--split", "no"], "no"),
        ("neighbours", [*good, str(tmp_path / "no.jpg"), "-o", picture], "no.jpg: No such file"),
        ("neighbours", [*good, str(tmp_path / "black.jpg"), "-o", picture], "--no-align"),
        ("neighbours", [*good, "--numbers", "1", "-o", picture], "faceae fit"),
        ("map", [*good, "-o", str(tmp_path / "m.html")], "m.html: a picture must"),
        ("map", [*good, "-o", picture, "--attribute", "Brihgt"], "did you mean Bright?"),
        ("map", [*good, "-o", picture, "--split", "no"], "no"),
    ):
        assert run([verb, *argv, "--loader", "webdataset"]) == 1, argv
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["black.jpg"]
    assert run(["neighbours", *good, photo, "-k", "0"]) == 2
