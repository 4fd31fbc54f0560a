"""faceae generate."""

import resource
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from faceae.cli import run
from faceae.model import FaceAutoEncoder, ModelConfig, save_model
from faceae_shards import decode_image, open_dataset


def generate(model: Path, out: Path, *options: str) -> NDArray[np.uint8]:
    """Run `faceae generate MODEL OUT.npy` and return the faces."""
    assert run(["generate", str(model), str(out), *options]) == 0
    faces: NDArray[np.uint8] = np.load(out)
    return faces


def difference(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected).max())


@pytest.fixture(scope="module")
def faces(fitted_run: Path, tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    """Faces 0 to 79 of seed 5."""
    return generate(fitted_run, tmp_path_factory.mktemp("f") / "f.npy", "-n80", "--seed", "5")


def test_array(faces: NDArray[np.uint8]) -> None:
    assert (faces.shape, faces.dtype) == ((80, 32, 32, 3), np.uint8)
    assert len({face.tobytes() for face in faces}) == 80
    assert faces.std(axis=0).mean() > 5


@pytest.mark.parametrize("batch_size", ["1", "7", "80"])
def test_a_number_is_the_same_face_at_any_batch_size_and_start(
    fitted_run: Path, faces: NDArray[np.uint8], tmp_path: Path, batch_size: str
) -> None:
    options = ("-n9", "--seed=5", "--start=60", f"--batch-size={batch_size}")
    assert difference(generate(fitted_run, tmp_path / "f.npy", *options), faces[60:69]) <= 1


@pytest.mark.parametrize("name", ["generator.onnx", "generator.ts"])
def test_a_number_is_the_same_face_from_an_exported_file(
    exported: Path, faces: NDArray[np.uint8], tmp_path: Path, name: str
) -> None:
    found = generate(exported / name, tmp_path / "f.npy", "-n80", "--seed=5", "--batch-size=13")
    assert difference(found, faces) <= 1


def test_another_seed_gives_other_faces(
    fitted_run: Path, faces: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert difference(generate(fitted_run, tmp_path / "f.npy", "-n80", "--seed=6"), faces) > 50


def test_truncation_narrows_the_faces_from_run_and_export_alike(
    fitted_run: Path, exported: Path, faces: NDArray[np.uint8], tmp_path: Path
) -> None:
    options = ("-n80", "--seed=5", "--truncation=0.3")
    narrow = generate(fitted_run, tmp_path / "a.npy", *options)
    assert narrow.std(axis=0).mean() < 0.5 * faces.std(axis=0).mean()
    assert (
        difference(generate(exported / "generator.onnx", tmp_path / "b.npy", *options), narrow) <= 1
    )


def test_grid(
    fitted_run: Path,
    faces: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["generate", str(fitted_run), str(tmp_path / "f.png"), "-n5", "--seed=5"]) == 0
    with Image.open(tmp_path / "f.png") as picture:
        grid = np.asarray(picture)
    assert grid.shape == (2 * 34 + 2, 3 * 34 + 2, 3)
    assert difference(grid[36:68, 36:68], faces[4]) <= 1
    assert "f.png: 5 new faces, 32x32, seed 5, numbers 0 to 4" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_folder_is_named_by_face_number(
    fitted_run: Path, faces: NDArray[np.uint8], tmp_path: Path, suffix: str
) -> None:
    argv = ["generate", str(fitted_run), str(tmp_path / "f"), "-n3", "--seed=5", "--start=70"]
    assert run([*argv, "--format", suffix]) == 0
    found = sorted((tmp_path / "f").iterdir())
    assert [path.name for path in found] == [f"0000{n}.{suffix}" for n in (70, 71, 72)]
    with Image.open(found[0]) as picture:
        error = np.abs(np.asarray(picture).astype(int) - faces[70])
    assert error.mean() < (4 if suffix == "jpg" else 0.1)


def test_folder_that_holds_something(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert run(["generate", str(fitted_run), str(tmp_path)]) == 1
    assert f"{tmp_path}: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_bad_input(
    fitted_run: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, out = str(fitted_run), str(tmp_path / "f.png")
    (tmp_path / "empty").mkdir()
    for argv, message in (
        ([str(tmp_path / "no"), out], "no: does not exist"),
        ([str(tmp_path / "empty"), out], "empty: not a training run"),
        ([str(exported / "decoder.onnx"), out], "decoder.onnx: is a decoder, which"),
        ([good, str(tmp_path / "f.gif")], r"f.gif: ends in none of .png"),
        ([good, str(tmp_path / "no" / "f.png")], "f.png: there is no folder"),
        ([good, str(tmp_path / "no" / "f")], "f: there is no folder"),
        ([good, out, "-n100000"], "a grid holds at most"),
        ([good, "s3://bucket/faces"], "--format shards"),
        ([str(exported / "generator.onnx"), out, "--engine=pt2"], "--engine pt2: cannot run"),
        ([good, out, "--engine=tensorrt"], "--engine tensorrt: cannot use --device cpu, only"),
        ([good, str(tmp_path / "f"), "--format=shards", "--start=999999999"], "keys have 9 digits"),
    ):
        assert run(["generate", *argv]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    "options",
    [
        ["-n0"],
        ["--seed=-1"],
        ["--start=-1"],
        ["--truncation=nan"],
        ["--truncation=-1"],
        ["--format=png"],
        ["--format=shards"],
        ["--seed=9223372036854775808"],
        ["--start=9223372036854775808"],
        ["--start=9223372036854775807", "-n2"],
        ["--threads=0"],
        ["--engine=numpy"],
        ["--samples-per-shard=5"],
        ["--executor=ray"],
        ["--address=local"],
    ],
)
def test_usage_errors(fitted_run: Path, tmp_path: Path, options: list[str]) -> None:
    assert run(["generate", str(fitted_run), str(tmp_path / "f.npy"), *options]) == 2
    assert list(tmp_path.iterdir()) == []


def test_seed_and_number_at_their_limit(fitted_run: Path, tmp_path: Path) -> None:
    last = str(2**63 - 1)
    faces = generate(fitted_run, tmp_path / "f.npy", "-n1", "--seed", last, "--start", last)
    assert faces.shape == (1, 32, 32, 3)


def test_shards_are_a_sound_dataset_of_the_same_pictures(
    fitted_run: Path,
    faces: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("-n40", "--seed=5", "--start=20")
    argv = ["generate", str(fitted_run), str(tmp_path / "s"), *options]
    assert run([*argv, "--format=shards", "--samples-per-shard=16"]) == 0
    assert "s: 40 new faces, 32x32, seed 5, numbers 20 to 59" in capsys.readouterr().out
    assert run(["verify", str(tmp_path / "s"), "--workers=1"]) == 0
    assert run(["info", str(tmp_path / "s")]) == 0
    said = capsys.readouterr().out
    assert "40 images in 3 shards" in said
    assert "split by     nothing, seed 5" in said
    assert run(["generate", str(fitted_run), str(tmp_path / "f"), *options, "--format=jpg"]) == 0
    stored = {}
    for path in open_dataset(tmp_path / "s").shard_paths("train"):
        with tarfile.open(path) as tar:
            stored.update({info.name: tar.extractfile(info).read() for info in tar})
    for number in range(20, 60):
        jpeg = stored[f"{number:09}.jpg"]
        assert jpeg == (tmp_path / "f" / f"{number:06}.jpg").read_bytes()
        assert np.abs(decode_image(jpeg).astype(int) - faces[number]).mean() < 4


def test_same_shards_whatever_the_batch_size_and_the_threads(
    fitted_run: Path, tmp_path: Path, hash_tree: Callable[[Path], dict[str, str]]
) -> None:
    threads = torch.get_num_threads()
    argv = ["generate", str(fitted_run), "--format=shards", "-n90", "--samples-per-shard=50"]
    assert run([*argv, str(tmp_path / "a"), "--threads=1", "--batch-size=1"]) == 0
    assert run([*argv, str(tmp_path / "b"), "--threads=3", "--batch-size=70"]) == 0
    torch.set_num_threads(threads)
    assert hash_tree(tmp_path / "a") == hash_tree(tmp_path / "b")


def test_shards_of_another_seed_or_engine_are_not_mixed(
    fitted_run: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(tmp_path / "s"), "--format=shards", "-n5"]
    assert run(["generate", str(fitted_run), *argv]) == 0
    assert run(["generate", str(fitted_run), *argv]) == 0
    for model, options, message in (
        (fitted_run, ["--seed=1"], "--seed"),
        (exported / "generator.onnx", [], "--engine"),
    ):
        assert run(["generate", str(model), *argv, *options]) == 1
        assert message in capsys.readouterr().err


def test_auto_says_what_it_took(
    exported: Path,
    faces: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("-n9", "--seed=5", "--engine=auto")
    found = generate(exported / "generator.onnx", tmp_path / "f.npy", *options)
    assert difference(found, faces[:9]) <= 1
    assert "--engine auto takes onnxruntime: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["f.npy", "f.png", "f", "s"])
def test_full_disk_names_what_was_written_and_leaves_nothing(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    argv = ["generate", str(fitted_run), str(tmp_path / name), "-n40"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        assert run([*argv, *(["--format=shards"] if name == "s" else [])]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"faceae: error: {tmp_path / name}")
    assert "File too large" in line
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".npy", ".png", ".tar")]


def test_weights_changed_since_fit(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(fitted_run, copy)
    torch.manual_seed(1)
    config = ModelConfig(image_size=32, latent_size=16, width=8)
    save_model(FaceAutoEncoder(config), copy / "model.safetensors")
    assert run(["generate", str(copy), str(tmp_path / "f.npy")]) == 1
    assert "latents.safetensors: fitted on other weights" in capsys.readouterr().err
    (copy / "latents.safetensors").unlink()
    assert run(["generate", str(copy), str(tmp_path / "f.npy")]) == 1
    assert "latents.safetensors: no such file" in capsys.readouterr().err
