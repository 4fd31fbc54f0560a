"""faceae fit."""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import faceae_shards
from faceae.cli import run
from faceae.latent import NormalPrior, load_prior
from faceae.model import load_model, to_float, weights_hash


def read_pixels(dataset: faceae_shards.Dataset, split: str) -> list[np.ndarray]:
    pictures = []
    for path in dataset.shard_paths(split):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".npy"):
                    data = tar.extractfile(member)
                    assert data is not None
                    pictures.append(np.load(io.BytesIO(data.read())))
    return pictures


@pytest.fixture
def run_copy(fitted_run: Path, tmp_path: Path) -> Path:
    """A run that may be written to, without latents."""
    path = tmp_path / "run"
    shutil.copytree(fitted_run, path)
    (path / "latents.safetensors").unlink()
    return path


@pytest.mark.parametrize("loader", ["webdataset", "auto"])
def test_fit_is_exact_over_the_split(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    loader: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = ["fit", str(run_copy), str(dataset_npy.path), "--loader", loader, "--batch-size", "7"]
    assert run(argv) == 0
    distribution = load_prior(run_copy / "latents.safetensors")
    assert isinstance(distribution, NormalPrior)
    model = load_model(run_copy / "model.safetensors", torch.device("cpu"))
    images = torch.from_numpy(np.stack(read_pixels(dataset_npy, "train"))).permute(0, 3, 1, 2)
    with torch.inference_mode():
        z_NZ = model.encode(to_float(images)).double().numpy()
    assert distribution.count == 24
    np.testing.assert_allclose(distribution.mean, z_NZ.mean(0), atol=1e-5)
    np.testing.assert_allclose(distribution.covariance, np.cov(z_NZ.T), atol=1e-5)
    assert distribution.weights_hash == weights_hash(model)
    assert distribution.dataset_hash == dataset_npy.hash
    out = capsys.readouterr().out
    assert "latents.safetensors: mean and covariance of 16 latent numbers, 24 faces (train)" in out
    kind = "webdataset" if loader == "webdataset" else "(dali|webdataset)"
    assert re.search(rf"^encoded on \w+(:\d)?, read by {kind} \d", out, re.M)
    assert "note:" not in out


def test_fit_on_other_data_than_the_run_was_trained_on(
    run_copy: Path, dataset_jpg: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", str(run_copy), str(dataset_jpg.path), "--loader", "webdataset"]) == 0
    assert f"note: {run_copy} was trained on another dataset" in capsys.readouterr().out


def test_fit_on_fewer_faces_than_numbers_says_so(
    run_copy: Path, dataset_npy: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", str(run_copy), str(dataset_npy.path), "--split", "valid"]) == 0
    assert "note: 12 faces span at most 11 of 16 directions" in capsys.readouterr().out


@pytest.mark.parametrize("prior", ["gmm", "flow", "pairs"])
def test_prior_that_needs_more_faces_leaves_the_old_one(
    run_copy: Path,
    fitted_run: Path,
    dataset_npy: faceae_shards.Dataset,
    prior: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(fitted_run / "latents.safetensors", run_copy)
    assert run(["fit", str(run_copy), str(dataset_npy.path), "--prior", prior]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert f"--prior {prior}" in line
    assert "at least 128 faces, got 24" in line
    assert "--prior normal" in line
    assert load_prior(run_copy / "latents.safetensors").kind == "normal"


@pytest.mark.parametrize("prior", ["gmm", "flow", "pairs"])
def test_prior_draws_faces(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    prior: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("faceae.latent._held_out.MIN_FACES", 10)
    monkeypatch.setattr("faceae.latent._fit_mixture._MIN_FACES_PER_COMPONENT", 4)
    monkeypatch.setattr("faceae.latent._fit_flow._CHECK_STEPS", 5)
    assert run(["fit", str(run_copy), str(dataset_npy.path), "--prior", prior]) == 0
    word = {"gmm": "mixture of ", "flow": "flow on", "pairs": "pairs of "}[prior]
    assert f"latents.safetensors: {word}" in capsys.readouterr().out
    for name, options in (("all", ["-n5"]), ("part", ["-n2", "--start=3", "--batch-size=1"])):
        out = tmp_path / f"{name}.npy"
        assert run(["generate", str(run_copy), str(out), "--seed=4", *options]) == 0
    assert np.array_equal(np.load(tmp_path / "part.npy"), np.load(tmp_path / "all.npy")[3:])


def test_fit_that_is_interrupted_leaves_the_old_prior(
    run_copy: Path,
    fitted_run: Path,
    dataset_npy: faceae_shards.Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = (fitted_run / "latents.safetensors").read_bytes()
    (run_copy / "latents.safetensors").write_bytes(old)

    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save", stop)
    assert run(["fit", str(run_copy), str(dataset_npy.path)]) == 130
    assert (run_copy / "latents.safetensors").read_bytes() == old
    assert not list(run_copy.glob("*.faceae-part"))


def test_fit_on_one_face(
    run_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one" / "a.png")
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=tmp_path / "one", out=tmp_path / "packed", split=(1, 0, 0), workers=1
        )
    )
    assert run(["fit", str(run_copy), str(tmp_path / "packed")]) == 1
    assert "at least 2 faces, got 1" in capsys.readouterr().err
    assert not (run_copy / "latents.safetensors").exists()


def test_fit_bad_input(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = str(dataset_npy.path)
    for argv, message in (
        ([str(tmp_path / "no"), data], "no: not a training run"),
        ([str(run_copy), str(tmp_path / "no")], "no does not exist"),
        ([str(run_copy), data, "--split", "dev"], "'dev'"),
    ):
        assert run(["fit", *argv]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    (run_copy / "model.safetensors").unlink()
    assert run(["fit", str(run_copy), data]) == 1
    assert "model.safetensors: no such file" in capsys.readouterr().err
    assert not (run_copy / "latents.safetensors").exists()


WORKER = """
import sys
from faceae.cli import run
from faceae.latent import _held_out

_held_out.MIN_FACES = 10
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def launch(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run faceae in two processes. Ten faces are enough for every prior."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]

    def run_two(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*launcher, "--nproc-per-node", "2", "--", str(script), *command],
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run_two


@pytest.mark.parametrize("prior", ["normal", "pairs"])
def test_two_processes_fit_what_one_does(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    prior: str,
    launch: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faceae.latent._held_out.MIN_FACES", 10)
    command = ["fit", str(run_copy), str(dataset_npy.path), "--prior", prior, "--device", "cpu"]
    assert run([*command, "--batch-size", "7"]) == 0
    alone = load_prior(run_copy / "latents.safetensors")
    (run_copy / "latents.safetensors").unlink()
    process = launch(*command, "--batch-size", "7")
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("latents.safetensors:") == 1
    together = load_prior(run_copy / "latents.safetensors")
    assert together.count == alone.count == dataset_npy.num_samples("train")
    for name, tensor in alone.tensors().items():
        np.testing.assert_allclose(together.tensors()[name], tensor, atol=1e-5)


def test_error_in_two_processes_is_told_once(
    run_copy: Path,
    dataset_npy: faceae_shards.Dataset,
    launch: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    command = ["fit", str(run_copy), str(dataset_npy.path), "--split", "none", "--device", "cpu"]
    process = launch(*command)
    assert process.returncode != 0
    assert process.stderr.count("faceae: error:") == 1
    assert not (run_copy / "latents.safetensors").exists()
