"""train.py as a training job runs it: variables, hyperparameters as text, resuming, refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import faceae
import faceae.sagemaker
import faceae_shards

SCRIPT = Path(faceae.sagemaker.__file__).parent / "scripts" / "train.py"


@pytest.fixture
def job(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Folder of a job: checkpoints and model lie in it."""
    monkeypatch.setenv("SM_CHANNEL_TRAINING", str(dataset_npy.path))
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    return tmp_path


def test_a_job_that_starts_again_goes_on(job: Path, hyperparameters: list[str]) -> None:
    checkpoints = ["--checkpoint-dir", str(job / "checkpoints"), "--keep-checkpoints", "best"]
    argv = [*hyperparameters, *checkpoints]
    assert faceae.sagemaker.train(argv) == 0
    model = job / "model"
    names = {file.relative_to(model).as_posix() for file in model.rglob("*") if file.is_file()}
    assert names == {"run.json", "model.safetensors", "latents.safetensors", "code/inference.py"}
    config = json.loads((model / "run.json").read_text())["config"]
    assert (config["batch_size"], config["amp"], config["epochs"]) == (8, False, 1)
    before = (model / "model.safetensors").read_bytes()
    assert faceae.sagemaker.train(argv) == 0
    assert (model / "model.safetensors").read_bytes() == before
    assert faceae.load(model, device="cpu").latent_size == 16


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--batch-size", "many"], "`batch_size`"),
        (["--amp", "maybe"], "`amp`"),
        (["--model", "huge"], "`model`"),
        (["--keep-checkpoints", "all"], "`keep_checkpoints`"),
        (["--colour", "1"], "`colour`"),
        (["--amp"], "pairs"),
        (["--epochs", "0"], "`epochs`"),
    ],
)
def test_hyperparameters_that_do_not_fit(
    job: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faceae.sagemaker.train(["--checkpoint-dir", str(job / "c"), *argv]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_script_outside_a_job(tmp_path: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("SM_")}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--checkpoint-dir", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SM_CHANNEL_TRAINING" in done.stderr
    assert "Traceback" not in done.stderr
