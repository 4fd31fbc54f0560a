"""faceae eval."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards
from faceae.cli import run
from faceae.data import LoaderConfig, make_loader
from faceae.device import resolve_device
from faceae.model import load_model
from faceae.training import validate

CPU = resolve_device("cpu")


@pytest.fixture
def run_copy(fitted_run: Path, tmp_path: Path) -> Path:
    """A run that may be written to."""
    path = tmp_path / "run"
    shutil.copytree(fitted_run, path)
    return path


def eval_run(run_path: Path, dataset: faceae_shards.Dataset, *options: str) -> int:
    argv = ["eval", str(run_path), str(dataset.path), "--loader", "webdataset"]
    return run([*argv, "--batch-size", "5", *options])


def test_figures_and_picture(
    run_copy: Path, dataset_npy: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eval_run(run_copy, dataset_npy) == 0
    record = json.loads((run_copy / "eval-test.json").read_text())
    assert (record["split"], record["num_images"]) == ("test", 12)
    assert record["is_run_dataset"] is True
    pca = record["pca"]
    assert (pca["num_components"], pca["num_fit_images"], pca["num_train_images"]) == (16, 24, 24)
    # The pictures are of 30 colours each, so 16 numbers of one do well.
    assert pca["score"]["psnr_db"] > record["model"]["psnr_db"]
    assert 0 < record["model"]["ssim"] < pca["score"]["ssim"] < 1
    worst = [face["psnr_db"] for face in record["worst"]]
    best = [face["psnr_db"] for face in record["best"]]
    assert len(worst) == len(best) == 8
    assert worst == sorted(worst)
    assert best == sorted(best, reverse=True)
    assert worst[0] < best[0]
    with Image.open(run_copy / "eval-test.png") as picture:
        assert picture.size == (8 * 34 + 2, 4 * 34 + 2)
    out = capsys.readouterr().out
    assert "eval-test.json: 12 faces (test)" in out
    assert re.search(r"^Reconstructions are \d+\.\d dB below PCA .*: train longer", out, re.M)
    names = list(faceae_shards.read_names(dataset_npy, "test"))
    for kind in ("worst", "best"):
        faces = record[kind]
        assert [face["name"] for face in faces] == [names[face["index"]] for face in faces]
        first = re.search(rf"^{kind}: (\S+) \(\d+\.\d dB\), ", out, re.M)
        assert first is not None
        assert first[1] == faces[0]["name"]
    assert re.search(r"^PCA, 16 .*fitted on 24 of 24 faces \(train\)$", out, re.M)
    assert "note:" not in out


def test_psnr_is_that_of_training(run_copy: Path, dataset_npy: faceae_shards.Dataset) -> None:
    assert eval_run(run_copy, dataset_npy, "--split", "valid", "--no-pca") == 0
    record = json.loads((run_copy / "eval-valid.json").read_text())
    model = load_model(run_copy / "model.safetensors", CPU)
    config = LoaderConfig(split="valid", batch_size=12, image_size=32, training=False)
    loader = make_loader("webdataset", dataset_npy, config, CPU)
    expected = validate(model, loader, CPU).psnr_db
    loader.close()
    assert record["model"]["psnr_db"] == pytest.approx(expected, abs=1e-5)
    assert record["pca"] is None


def test_picture_shows_the_ranked_faces(run_copy: Path, dataset_npy: faceae_shards.Dataset) -> None:
    out = run_copy / "figures.json"
    assert eval_run(run_copy, dataset_npy, "--no-pca", "-o", str(out)) == 0
    record = json.loads(out.read_text())
    config = LoaderConfig(split="test", batch_size=12, image_size=32, training=False)
    loader = make_loader("webdataset", dataset_npy, config, CPU)
    images_NHWC = next(iter(loader)).images.permute(0, 2, 3, 1).numpy()
    loader.close()
    with Image.open(out.with_suffix(".png")) as picture:
        pixels = np.asarray(picture)
    worst, best = record["worst"][0]["index"], record["best"][7]["index"]
    np.testing.assert_array_equal(pixels[2:34, 2:34], images_NHWC[worst])
    np.testing.assert_array_equal(pixels[70:102, 240:272], images_NHWC[best])


def test_more_latent_numbers_than_faces_to_fit_on(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    face_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "few"
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=face_folder, out=out, size=32, split=(0.25, 0.25, 0.5), workers=1
        )
    )
    few = replace(dataset_npy, path=out)
    assert eval_run(run_copy, few) == 1
    assert "--no-pca" in capsys.readouterr().err
    assert not (run_copy / "eval-test.json").exists()
    assert eval_run(run_copy, few, "--no-pca") == 0
    captured = capsys.readouterr()
    assert f"another dataset than {out}" in captured.out
    assert json.loads((run_copy / "eval-test.json").read_text())["is_run_dataset"] is False


def test_other_framing_is_said(
    run_copy: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cropped"
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=face_folder, out=out, crop=100, size=32, split=(0.5, 0.25, 0.25), workers=1
        )
    )
    assert eval_run(run_copy, faceae_shards.open_dataset(out), "--no-pca") == 0
    (note,) = re.findall("^note: .* pixels.*", capsys.readouterr().out, re.M)
    assert "100 pixels" in note


def test_split_without_samples(
    run_copy: Path, dataset_npy: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eval_run(run_copy, dataset_npy, "--split", "tset") == 1
    assert "'tset'" in capsys.readouterr().err


def test_run_without_a_model_yet(
    run_copy: Path, dataset_npy: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_copy / "model.safetensors").unlink()
    assert eval_run(run_copy, dataset_npy) == 1
    assert "model.safetensors: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("eval.png", "eval.png: "),
        ("missing/eval.json", "there is no folder"),
    ],
)
def test_impossible_out_is_refused_before_the_work(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    out: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert eval_run(run_copy, dataset_npy, "-o", str(tmp_path / out)) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "model " not in captured.err  # no progress was shown
