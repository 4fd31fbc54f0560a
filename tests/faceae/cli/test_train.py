"""faceae train."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.cli import run
from faceae.runs import TrainConfig, read_run


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def arguments(dataset: faceae_shards.Dataset, run_path: Path, *more: str) -> list[str]:
    """Two epochs of three steps with a tiny net."""
    options = ["--epochs", "2", "--batch-size", "8", "--latent-size", "16", "--width", "4"]
    options += ["--device", "cpu"]
    return ["train", str(dataset.path), "--run", str(run_path), *options, *more]


def test_train_and_resume(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_path = tmp_path / "run"
    assert run(arguments(dataset_npy, run_path, "--no-amp", "--seed", "3")) == 0
    captured = capsys.readouterr()
    psnr_db = json.loads((run_path / "metrics.jsonl").read_text().splitlines()[-1])["best_psnr_db"]
    assert f"model.safetensors: {psnr_db:.2f} dB on held-out faces (valid)" in captured.out
    assert "grids" in captured.out
    assert "24 faces of 32x32 to train on; cpu, float32, as requested" in captured.err
    assert re.search(r"train: \w+ loader", captured.err), "names the loader it took"
    assert len(re.findall(r"^epoch \d/2: \d+\.\d\d dB on held-out faces", captured.err, re.M)) == 2
    config = read_run(run_path).config
    assert (config.epochs, config.peak_lr, config.seed, config.amp) == (2, 2e-4, 3, False)

    assert run(["train", str(dataset_npy.path), "--run", str(run_path), "--resume"]) == 0
    captured = capsys.readouterr()
    assert "already finished; more --epochs extend it" in captured.err
    assert re.search(r"checkpoints: 2 kept, \d+ MB", captured.out)


def test_run_that_begins_from_another_has_its_architecture(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "a", "--no-amp")) == 0
    begin = ["train", str(dataset_npy.path), "--run", str(tmp_path / "b"), "--epochs", "1"]
    begin += ["--batch-size", "8", "--device", "cpu", "--no-amp"]
    assert run([*begin, "--init", str(tmp_path / "a")]) == 0
    assert read_run(tmp_path / "b").model == read_run(tmp_path / "a").model
    (tmp_path / "a" / "model.safetensors").unlink()
    capsys.readouterr()
    assert run([*begin[:2], "--run", str(tmp_path / "c"), "--init", str(tmp_path / "a")]) == 1
    assert "the run has no weights yet" in capsys.readouterr().err


def test_batch_larger_than_the_set(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The set has 24 faces. The same command with --resume must go on."""
    command = arguments(dataset_npy, tmp_path / "run", "--no-amp", "--batch-size", "64")
    assert run(command) == 0
    assert "training with batches of 24" in capsys.readouterr().err
    assert read_run(tmp_path / "run").config.batch_size == 24
    assert run([*command, "--resume"]) == 0


@pytest.mark.parametrize(("keep", "kept"), [("1", 1), ("3", 3)])
def test_checkpoints_kept(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, keep: str, kept: int
) -> None:
    options = ["--no-amp", "--epochs", "4", "--keep-checkpoints", keep]
    assert run(arguments(dataset_npy, tmp_path / "run", *options)) == 0
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == kept


def test_keep_checkpoints_takes_a_number_or_best(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "run", "--keep-checkpoints", "some")) == 2
    assert "neither a number nor 'best'" in capsys.readouterr().err
    assert run(arguments(dataset_npy, tmp_path / "run", "--keep-checkpoints", "0")) == 2


def test_run_that_exists(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_path = tmp_path / "run"
    run_path.mkdir()
    (run_path / "run.json").touch()
    assert run(arguments(dataset_npy, run_path)) == 1
    assert "--resume" in capsys.readouterr().err


def test_resume_without_a_run(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "nowhere", "--resume")) == 1
    assert "not a training run" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["denoising", "variational", "regularised"])
def test_other_kinds_of_models_are_fitted_and_drawn_from(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, model: str
) -> None:
    run_path, faces = tmp_path / "run", tmp_path / "faces.npy"
    assert run(arguments(dataset_npy, run_path, "--no-amp", "--model", model)) == 0
    assert read_run(run_path).config.model == read_run(run_path).model.variant == model
    assert run(["fit", str(run_path), str(dataset_npy.path)]) == 0
    assert run(["generate", str(run_path), str(faces), "-n", "3"]) == 0
    assert np.load(faces).shape == (3, 32, 32, 3)


def test_variational_model_is_exported_with_its_means(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path
) -> None:
    run_path, exported = tmp_path / "run", tmp_path / "autoencoder.ts"
    assert run(arguments(dataset_npy, run_path, "--no-amp", "--model", "variational")) == 0
    command = ["export", "torchscript", str(run_path), "--part", "autoencoder"]
    assert run([*command, str(exported)]) == 0
    assert json.loads((tmp_path / "autoencoder.ts.json").read_text())["rewritten"]


def test_weights_to_begin_with_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noticed first, before the dataset is read."""
    weights, data = str(tmp_path / "missing.pth"), str(tmp_path / "no data")
    assert run(["train", data, "--run", str(tmp_path / "run"), "--init", weights]) == 1
    assert f"--init {weights}: no such file" in capsys.readouterr().err


def test_option_of_another_kind_of_model(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "run", "--kl-weight", "1")) == 2
    assert "--kl-weight belongs to --model variational" in capsys.readouterr().err


def test_tracker_that_is_not_there(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "run", "--tracker", "no-such")) == 1
    assert "--tracker no-such: there is no such tracker; known: tensorboard" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


def test_restart_without_resume_is_wrong_usage(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "run", "--restart-epoch")) == 2
    assert "--restart-epoch goes with --resume" in capsys.readouterr().err


def test_resume_with_other_options(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_path = tmp_path / "run"
    assert run(arguments(dataset_npy, run_path, "--no-amp")) == 0
    capsys.readouterr()
    assert run(arguments(dataset_npy, run_path, "--resume", "--lr", "0.1", "--amp")) == 1
    captured = capsys.readouterr()
    assert "--lr is 0.1 where the run has 0.0002" in captured.err
    assert "--amp is True where the run has False" in captured.err
    assert "--epochs" not in captured.err


@pytest.mark.parametrize(
    "options",
    [
        ["--epochs", "many"],
        ["--epochs", "0"],
        ["--lr", "-1"],
        ["--latent-size", "0"],
        ["--image-size", "48"],
        ["--device", "tpu"],
        ["--loader", "ffcv"],
        ["--momentum", "0.9"],
    ],
)
def test_wrong_usage(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, options: list[str]
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "run", *options)) == 2
    assert not (tmp_path / "run").exists()


def test_data_that_is_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", str(tmp_path), "--run", str(tmp_path / "run")]) == 1
    assert "dataset.json" in capsys.readouterr().err


def test_help_tells_the_defaults_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    for name in (
        "epochs",
        "batch_size",
        "latent_size",
        "width",
        "device",
        "loader",
        "seed",
    ):
        option = "--" + name.replace("_", "-")
        default = re.search(rf"{option} .*?[dD]efault:? ([\w.]*\w)", text)
        assert default is not None, option
        assert default[1] == str(defaults[name]), option


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_to_the_process(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, number: int, code: int
) -> None:
    """Many epochs; the signal comes once the first is done, whatever the process does then."""
    run_path = tmp_path / "run"
    command = arguments(dataset_npy, run_path, "--no-amp", "--loader", "webdataset")
    command[command.index("--epochs") + 1] = "100000"
    process = subprocess.Popen(
        [sys.executable, "-m", "faceae", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not (run_path / "checkpoints" / "epoch-0001").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "with a checkpoint" in out
    assert "--resume" in out
    assert "Traceback" not in err
    assert not list(run_path.rglob("*.faceae-part"))
