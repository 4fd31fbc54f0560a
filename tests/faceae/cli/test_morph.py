"""faceae morph."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from faceae.cli import run
from faceae.framing import Framing, read_face
from faceae.model import load_model, to_float, to_uint8


@pytest.fixture(scope="module")
def photographs(face_folder: Path) -> list[str]:
    return [str(path) for path in sorted(face_folder.rglob("*.jpg"))[:2]]


def morph(run_path: Path, photographs: list[str], out: Path, *options: str) -> None:
    assert run(["morph", str(run_path), *photographs, str(out), *options]) == 0


def read_grid(path: Path, columns: int) -> list[NDArray[np.uint8]]:
    with Image.open(path) as picture:
        grid = np.asarray(picture)
    rows = grid.shape[0] // 34
    return [grid[2 + y * 34 :, 2 + x * 34 :][:32, :32] for y in range(rows) for x in range(columns)]


def reconstruct(run_path: Path, photograph: str, crop: int | None = None) -> NDArray[np.uint8]:
    model = load_model(run_path / "model.safetensors", torch.device("cpu"))
    face_HWC = read_face(Path(photograph), 32, Framing(crop=crop))
    face = torch.from_numpy(face_HWC)[None].permute(0, 3, 1, 2)
    with torch.inference_mode():
        return to_uint8(model(to_float(face)))[0].permute(1, 2, 0).numpy()


def difference(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    return int(np.abs(found.astype(int) - expected).max())


def test_morph_goes_from_one_face_to_the_other(
    fitted_run: Path, photographs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    morph(fitted_run, photographs, tmp_path / "m.png", "--frames", "9")
    frames = read_grid(tmp_path / "m.png", columns=3)
    assert difference(frames[0], reconstruct(fitted_run, photographs[0])) <= 1
    assert difference(frames[8], reconstruct(fitted_run, photographs[1])) <= 1
    assert difference(frames[0], frames[8]) > 10
    steps = [difference(a, b) for a, b in itertools.pairwise(frames)]
    assert max(steps) < difference(frames[0], frames[8])
    assert "m.png: 9 frames from" in capsys.readouterr().out


def test_gif_goes_there_and_back(fitted_run: Path, photographs: list[str], tmp_path: Path) -> None:
    morph(fitted_run, photographs, tmp_path / "m.gif", "--frames", "5")
    with Image.open(tmp_path / "m.gif") as gif:
        frames = []
        for index in range(gif.n_frames):
            gif.seek(index)
            frames.append(np.asarray(gif.convert("RGB")))
    assert len(frames) == 8
    for index in (1, 2, 3):
        assert np.array_equal(frames[index], frames[-index])


def test_a_chain_as_a_movie_and_as_a_strip(
    fitted_run: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = [str(path) for path in sorted(face_folder.rglob("*.jpg"))[:3]]
    options = ("--seconds", "0.8", "--ease", "--scale", "2")
    morph(fitted_run, chain, tmp_path / "m.webp", *options)
    with Image.open(tmp_path / "m.webp") as movie:
        assert movie.size == (64, 64)
        times = []
        for index in range(movie.n_frames):
            movie.seek(index)
            movie.load()
            times.append(movie.info["duration"])
    assert sum(times) == 800
    morph(fitted_run, chain, tmp_path / "m.png", "--strip")
    with Image.open(tmp_path / "m.png") as strip:
        assert strip.size == (15 * 34 + 2, 34 + 2)
    assert capsys.readouterr().out.count("m.webp: 11 frames from") == 1


def test_a_closed_chain_runs_once(fitted_run: Path, photographs: list[str], tmp_path: Path) -> None:
    closed = [*photographs, photographs[0]]
    morph(fitted_run, closed, tmp_path / "m.gif", "--frames", "9")
    with Image.open(tmp_path / "m.gif") as gif:
        assert gif.n_frames == 8
    morph(fitted_run, closed, tmp_path / "m.webp", "--seconds", "0.8")
    with Image.open(tmp_path / "m.webp") as webp:
        assert webp.n_frames == 20, "25 frames per second"


def test_drawn_faces_after_photographs(
    fitted_run: Path, photographs: list[str], tmp_path: Path
) -> None:
    drawn = ("--seed", "1", "--numbers", "3,17", "--strip", "--frames", "3")
    morph(fitted_run, photographs[:1], tmp_path / "m.png", *drawn)
    frames = read_grid(tmp_path / "m.png", columns=3)
    assert difference(frames[0], reconstruct(fitted_run, photographs[0])) <= 1
    for frame, number in ((frames[1], "3"), (frames[2], "17")):
        options = ["-n", "1", "--seed", "1", "--start", number, "--device", "cpu"]
        assert run(["generate", str(fitted_run), str(tmp_path / "g.png"), *options]) == 0
        assert difference(frame, read_grid(tmp_path / "g.png", columns=1)[0]) <= 1


def test_a_grid_has_four_faces_in_its_corners(fitted_run: Path, tmp_path: Path) -> None:
    grid = ("--numbers", "0,1,2,3", "--grid", "--frames", "4", "--interpolation", "prior")
    morph(fitted_run, [], tmp_path / "m.png", *grid)
    frames = read_grid(tmp_path / "m.png", columns=4)
    assert run(["generate", str(fitted_run), str(tmp_path / "g.png"), "-n", "4"]) == 0
    corners = read_grid(tmp_path / "g.png", columns=2)
    assert len(frames) == 16
    for place, corner in zip((0, 3, 12, 15), corners, strict=True):
        assert difference(frames[place], corner) <= 1


def test_a_photograph_of_several_faces_is_noted(
    fitted_run: Path,
    photographs: list[str],
    group_photo: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    group = [photographs[0], group_photo]
    morph(fitted_run, group, tmp_path / "m.png", "--frames", "4")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"note: {group_photo} shows 2 faces")
    morph(fitted_run, group, tmp_path / "m.png", "--frames", "4", "--no-align")
    assert capsys.readouterr().err == ""


def test_exported_decoder_gives_the_same_frames(
    fitted_run: Path, exported: Path, photographs: list[str], tmp_path: Path
) -> None:
    morph(fitted_run, photographs, tmp_path / "a.png", "--frames", "4")
    decoder = ("--decoder", str(exported / "decoder.onnx"))
    morph(fitted_run, photographs, tmp_path / "b.png", "--frames", "4", *decoder)
    pairs = zip(read_grid(tmp_path / "a.png", 2), read_grid(tmp_path / "b.png", 2), strict=True)
    assert all(difference(a, b) <= 1 for a, b in pairs)


def test_crop_is_the_runs_unless_given(
    fitted_run: Path, photographs: list[str], tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(fitted_run, copy)
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(record | {"crop": 100}))
    for options, crop in (([], 100), (["--crop", "60"], 60), (["--crop", "0"], None)):
        morph(copy, photographs, tmp_path / "m.png", "--frames", "4", *options)
        first = read_grid(tmp_path / "m.png", columns=2)[0]
        assert difference(first, reconstruct(copy, photographs[0], crop)) <= 1


def test_bad_input(
    fitted_run: Path,
    exported: Path,
    photographs: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b = photographs
    good, out = str(fitted_run), str(tmp_path / "m.png")
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    generator, decoder = str(exported / "generator.onnx"), str(exported / "decoder.onnx")
    many = ("--numbers", "1,2", "--frames", "1000")
    for argv, message in (
        ([str(tmp_path / "no"), a, b, out], "no: not a training run"),
        ([good, str(tmp_path / "no.jpg"), b, out], "no.jpg: No such file"),
        ([good, a, str(text), out], "text.jpg: not an image"),
        ([good, a, str(tmp_path), out], f"{tmp_path}: Is a directory"),
        ([good, a, b, str(tmp_path / "m.avi")], "m.avi: a morph's file must end in"),
        ([good, a, out], "at least two faces, got 1"),
        ([good, a, a], "is one of the photographs"),
        ([good, out], "or --numbers"),
        ([good, out, "--numbers", "1,2", "--grid"], "--grid needs four faces"),
        ([good, str(tmp_path / "m.gif"), "--numbers", "1,2", "--strip"], "--strip makes a picture"),
        ([good, out, "--numbers", "1,2,3", "--frames", "2"], "--frames must be at least 3"),
        ([good, str(tmp_path / "m.gif"), *many, "--seconds", "1"], "or more --seconds"),
        ([good, str(tmp_path / "m.gif"), *many, "--scale", "32"], "or a smaller --scale"),
        ([good, out, *many, "--scale", "32"], "smaller --frames or --scale"),
        ([good, a, b, str(tmp_path / "no" / "m.gif")], "m.gif: there is no folder"),
        ([good, a, b, out, "--crop", "200"], "178x218 pixels, less than the centre square of 200"),
        ([good, a, b, out, "--decoder", generator], "generator.onnx: is a generator"),
        ([good, a, b, out, "--decoder", decoder + "x"], "decoder.onnxx: no such file"),
    ):
        assert run(["morph", *argv]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["text.jpg"]
    for options in (
        ["--frames", "1"],
        ["--frames", "100000"],
        ["--seconds", "2"],
        ["--strip", "--grid"],
        ["--numbers", "1,x"],
        ["--numbers", str(2**63)],
        ["--interpolation", "cubic"],
    ):
        assert run(["morph", good, a, b, out, *options]) == 2


def test_runs_without_a_normal_prior(
    fitted_run: Path, photographs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, out = tmp_path / "run", str(tmp_path / "m.png")
    shutil.copytree(fitted_run, copy)
    (copy / "latents.safetensors").unlink()
    for options in (["--numbers", "1,2"], [*photographs, "--interpolation", "prior"]):
        assert run(["morph", str(copy), *options, out]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "faceae fit" in line
    assert run(["morph", str(copy), *photographs, out, "--frames", "4"]) == 0
