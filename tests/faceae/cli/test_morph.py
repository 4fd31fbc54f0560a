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
from faceae.model import load_model, to_float, to_uint8
from faceae.pictures import read_face


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
    face = torch.from_numpy(read_face(Path(photograph), 32, crop))[None].permute(0, 3, 1, 2)
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
    for argv, message in (
        ([str(tmp_path / "no"), a, b, out], "no: not a training run"),
        ([good, str(tmp_path / "no.jpg"), b, out], "no.jpg: No such file"),
        ([good, a, str(text), out], "text.jpg: not an image"),
        ([good, a, str(tmp_path), out], f"{tmp_path}: Is a directory"),
        ([good, a, b, str(tmp_path / "m.mp4")], "m.mp4: "),
        ([good, a, b, str(tmp_path / "no" / "m.gif")], "m.gif: there is no folder"),
        ([good, a, b, out, "--crop", "200"], "178x218 pixels, less than the centre square of 200"),
        ([good, a, b, out, "--decoder", generator], "generator.onnx: is a generator"),
        ([good, a, b, out, "--decoder", decoder + "x"], "decoder.onnxx: no such file"),
    ):
        assert run(["morph", *argv]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["text.jpg"]
    assert run(["morph", good, a, b, out, "--frames", "1"]) == 2
