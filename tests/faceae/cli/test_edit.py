"""faceae edit."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import faceae
import faceae_shards
from faceae.cli import run


@pytest.fixture(scope="module")
def run_path(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A run with latents and directions."""
    path = str(tmp_path_factory.mktemp("edit") / "run")
    shutil.copytree(attribute_run, path)
    for verb in ("fit", "directions"):
        assert run([verb, path, str(attribute_data.path), "--loader", "webdataset"]) == 0
    return path


@pytest.fixture(scope="module")
def photos(attribute_photos: Path) -> list[str]:
    return [str(path) for path in sorted(attribute_photos.rglob("*.jpg"))[-3:]]


def edit(run_path: str, *argv: str) -> int:
    return run(["edit", run_path, *argv, "--device", "cpu"])


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_strength_0_is_the_reconstruction(run_path: str, photos: list[str], tmp_path: Path) -> None:
    assert edit(run_path, photos[0], str(tmp_path / "a.png"), "--set", "Bright=0") == 0
    model = faceae.load(run_path, device="cpu")
    assert np.array_equal(read(tmp_path / "a.png"), model.reconstruct(photos[0])[0])


def test_several_attributes_at_once(run_path: str, photos: list[str], tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    assert edit(run_path, photos[0], str(out), "--set", "Bright=+1", "--set", "Red=-1.5") == 0
    model = faceae.load(run_path, device="cpu")
    expected = model.edit(photos[0], {"Bright": 1, "Red": -1.5})[0]
    assert np.array_equal(read(out), expected)
    assert expected.mean() - model.reconstruct(photos[0]).mean() > 5


def test_a_sweep_is_a_strip_or_a_gif(run_path: str, photos: list[str], tmp_path: Path) -> None:
    sweep = ("--sweep", "Bright=-2..2")
    assert edit(run_path, *photos[:2], str(tmp_path / "s.png"), *sweep, "--frames", "5") == 0
    assert read(tmp_path / "s.png").shape == (2 + 2 * 34, 2 + 5 * 34, 3)
    assert edit(run_path, photos[0], str(tmp_path / "s.gif"), *sweep, "--frames", "5") == 0
    with Image.open(tmp_path / "s.gif") as gif:
        assert (gif.size, gif.n_frames) == ((32, 32), 8)
    assert edit(run_path, *photos, str(tmp_path / "many"), *sweep) == 0
    assert read(tmp_path / "many" / f"{Path(photos[0]).stem}.png").shape == (32, 7 * 32, 3)


def test_an_animation_of_too_many_frames_is_refused_before_faces_are_read(
    run_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("faceae.movies._MAX_PIXELS", 32 * 32 * 7)
    out, sweep = str(tmp_path / "s.gif"), ("--sweep", "Bright=-2..2", "--frames", "5")
    assert edit(run_path, str(tmp_path / "missing.jpg"), out, *sweep) == 1
    message = capsys.readouterr().err
    assert "s.gif" in message
    assert "--frames" in message
    assert "--scale" not in message


def test_many_photographs_go_into_a_folder(
    run_path: str, photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for photo in photos:
        shutil.copy(photo, tmp_path / "in")
    assert (
        edit(run_path, str(tmp_path / "in"), photos[0], str(tmp_path / "out"), "--set", "Red=1")
        == 0
    )
    stems = [Path(photo).stem for photo in photos]
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {*stems, f"{stems[0]}-2"}


def test_drawn_faces_by_number(run_path: str, tmp_path: Path) -> None:
    out = tmp_path / "n"
    assert edit(run_path, str(out), "--seed", "1", "--numbers", "3,17", "--set", "Bright=0") == 0
    assert {path.name for path in out.iterdir()} == {"000003.png", "000017.png"}
    drawn = faceae.load(run_path, device="cpu").generate(1, seed=1, start=17)[0]
    assert np.abs(read(out / "000017.png").astype(int) - drawn).max() <= 1


def test_paste_changes_the_face_and_keeps_the_rest(
    run_path: str, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, photo = tmp_path / "p.png", read(Path(photos[0]))
    assert edit(run_path, photos[0], str(out), "--set", "Bright=1", "--paste", "--residual") == 0
    assert "32x32 pixels" in capsys.readouterr().out
    changed = read(out).astype(int) - photo
    assert changed.shape == (218, 178, 3)
    assert changed[80:140, 60:120].mean() > 5
    assert not changed[:20].any()
    assert edit(run_path, photos[0], str(out), "--set", "Bright=0", "--paste", "--residual") == 0
    assert np.array_equal(read(out), photo)


def test_a_strength_far_from_the_data_is_warned_of(
    run_path: str, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(run_path, photos[0], str(tmp_path / "a.png"), "--set", "Bright=1") == 0
    assert capsys.readouterr().err == ""
    assert edit(run_path, photos[0], str(tmp_path / "a.png"), "--set", "Bright=40") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: Bright")


def test_a_photograph_of_several_faces_is_noted(
    run_path: str, group_photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [run_path, group_photo, str(tmp_path / "a.png"), "--set", "Bright=1"]
    assert edit(*argv, "--align") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"note: {group_photo} shows 2 faces")


def test_bad_input(
    run_path: str,
    attribute_run: Path,
    photos: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, change = str(tmp_path / "a.png"), ("--set", "Bright=1")
    for argv, message in (
        ([photos[0], out, "--set", "Brihgt=1"], "did you mean Bright?"),
        ([photos[0], out, "--set", "Random=1"], "Random has no direction"),
        ([photos[0], str(tmp_path / "a.bmp"), *change], "a.bmp: must end in"),
        ([photos[0], str(tmp_path / "a.gif"), *change], "a.gif: must end in"),
        ([*photos, out, *change, "--paste"], "with --paste several photographs need a new folder"),
        ([str(tmp_path / "no.jpg"), out, *change], "no.jpg: No such file"),
    ):
        assert edit(run_path, *argv) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert edit(str(attribute_run), photos[0], out, *change) == 1
    assert "faceae directions" in capsys.readouterr().err
    for argv in (
        [out, *change],
        [photos[0], out],
        [photos[0], out, "--set", "Bright"],
        [photos[0], out, "--sweep", "Bright=1"],
        [photos[0], out, *change, "--frames", "3"],
        [photos[0], out, *change, "--numbers", "1"],
        [out, *change, "--numbers", "1", "--paste"],
        [photos[0], out, "--sweep", "Bright=1..2", "--paste"],
    ):
        assert edit(run_path, *argv) == 2
    assert list(tmp_path.iterdir()) == []
