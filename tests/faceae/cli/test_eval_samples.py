"""faceae eval --samples: figures and grid on disk, the verdict in words, and the report."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards
from faceae.cli import run
from faceae.evaluation.samples import SampleRecord
from tests.conftest import draw_picture

NUM_TEST = 70


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 80 training and 70 test pictures, which suffice for the covariances."""
    folder, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("packed") / "many"
    random = np.random.default_rng(3)
    for number in range(80 + 10 + NUM_TEST):
        draw_picture(random).save(folder / f"{number:03}.jpg")
    shares = (80 / 160, 10 / 160, NUM_TEST / 160)
    faceae_shards.pack(
        faceae_shards.PackConfig(source=folder, out=out, size=32, split=shares, workers=1)
    )
    return out


@pytest.fixture
def run_copy(fitted_run: Path, tmp_path: Path) -> Path:
    """A run that may be written to."""
    path = tmp_path / "run"
    shutil.copytree(fitted_run, path)
    return path


def eval_run(run_path: Path, data: Path, *options: str) -> int:
    argv = ["eval", str(run_path), str(data), "--loader", "webdataset", "--no-pca"]
    return run([*argv, "--device", "cpu", *options])


def test_figures_picture_words_and_report(
    run_copy: Path, many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eval_run(run_copy, many, "--samples", "500") == 0
    out = capsys.readouterr().out
    assert "fewer than the 500 asked for" in out
    assert "The new faces are" in out
    record = SampleRecord.load(run_copy / "samples-test.json")
    assert (record.num_asked, record.num_train_images) == (500, 80)
    assert [quality.num_images for _, quality in record.rows] == [NUM_TEST] * 3
    assert record.is_run_dataset is False
    assert record.photographs.sharpness == 1.0
    assert record.photographs.frechet_distance < record.new_faces.frechet_distance
    with Image.open(run_copy / "samples-test.png") as picture:
        assert picture.size == (8 * 34 + 2, 8 * 34 + 2)
    with Image.open(run_copy / "samples-test-nearest.png") as picture:
        assert picture.size == (9 * 34 + 2, 8 * 34 + 2)
    assert run(["report", str(run_copy)]) == 0
    page = (run_copy / "report.html").read_text("utf-8")
    assert "The new faces are" in page
    assert 'alt="New faces (test)"' in page
    assert f"{record.new_faces.frechet_distance:.2f}" in page
    assert "earlier weights" not in page


def test_same_faces_as_generate_and_same_bytes_again(
    run_copy: Path, many: Path, tmp_path: Path
) -> None:
    written = []
    for _ in range(2):
        assert eval_run(run_copy, many, "--samples", str(NUM_TEST)) == 0
        written.append((run_copy / "samples-test.json").read_bytes())
    assert written[0] == written[1]
    grid = tmp_path / "grid.png"
    assert run(["generate", str(run_copy), str(grid), "-n", "64", "--device", "cpu"]) == 0
    with Image.open(grid) as first, Image.open(run_copy / "samples-test.png") as second:
        difference = np.asarray(first).astype(int) - np.asarray(second)
    assert abs(difference).max() <= 1


def test_truncation(run_copy: Path, many: Path, tmp_path: Path) -> None:
    options = ["--samples", str(NUM_TEST), "--truncation", "0"]
    assert eval_run(run_copy, many, *options) == 0
    record = SampleRecord.load(run_copy / "samples-test.json")
    assert (record.truncation, record.new_faces.recall) == (0, 0)
    with Image.open(run_copy / "samples-test.png") as picture:
        faces = np.asarray(picture)
    assert (faces[2:34, 2:34] == faces[2:34, 36:68]).all()
    assert run(["report", str(run_copy)]) == 0
    assert "seed 0, truncation 0, not selected" in (run_copy / "report.html").read_text("utf-8")


def test_files_lie_beside_out(run_copy: Path, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    assert eval_run(run_copy, many, "--samples", str(NUM_TEST), "-o", str(out)) == 0
    assert json.loads((tmp_path / "samples-test.json").read_text())["split"] == "test"
    assert not (run_copy / "samples-test.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--samples", "64"], "--samples"),
        (["--samples", "70", "--split", "valid"], "split"),
        (["--samples", "70", "--split", "train"], "--split"),
        (["--samples", "70", "--inception", "missing.pth"], "missing.pth"),
        (["--samples", "70", "--truncation", "nan"], "--truncation"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    run_copy: Path,
    many: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert eval_run(run_copy, many, *options) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not (run_copy / "samples-test.json").exists()


@pytest.mark.parametrize(
    "options",
    [["--samples", "0"], ["--inception", "weights.pth"], ["--truncation", "1.1"]],
    ids=["none", "inception without samples", "truncation without samples"],
)
def test_wrong_usage(run_copy: Path, many: Path, options: list[str]) -> None:
    assert eval_run(run_copy, many, *options) == 2


def test_run_without_fitted_latents(
    run_copy: Path, many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_copy / "latents.safetensors").unlink()
    assert eval_run(run_copy, many, "--samples", "70") == 1
    assert "faceae fit" in capsys.readouterr().err


def test_earlier_weights_are_marked_in_the_report(run_copy: Path, many: Path) -> None:
    assert eval_run(run_copy, many, "--samples", str(NUM_TEST)) == 0
    path = run_copy / "samples-test.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"weights_hash": "old"}))
    assert run(["report", str(run_copy)]) == 0
    assert "Measured on earlier weights" in (run_copy / "report.html").read_text("utf-8")
