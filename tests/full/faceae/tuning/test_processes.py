"""Small studies with real trainings: two processes of which one is killed, new faces, the page."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae.runs import read_run
from faceae.synthetic import SynthConfig, write_dataset
from faceae.tuning import read_study

OPTIONS = ["--batch-size", "8", "--latent-size", "16", "--init", "random", "--device", "cpu"]
OPTIONS += ["--no-amp", "--loader", "webdataset"]


def arguments(dataset: faceae_shards.Dataset, study: Path, *more: str) -> list[str]:
    return ["tune", str(dataset.path), "--study", str(study), *OPTIONS, *more]


def start(argv: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faceae", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for_epoch(study: Path, process: subprocess.Popen[str]) -> int:
    """Wait until some trial has ended an epoch. Return the trial's number."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout
        for folder in sorted((study / "trials").glob("*")):
            if any((folder / "checkpoints").glob("epoch-*")):  # the first is soon replaced
                return int(folder.name)
        time.sleep(0.05)
    raise AssertionError("no epoch ended")


def test_killed_process_is_noticed_by_another(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path
) -> None:
    study, winner = tmp_path / "study", tmp_path / "winner"
    space = ["--search", "width=4:8", "--search", "lr=1e-4:1e-2:log", "--pruning", "none"]
    dying = start(arguments(dataset_npy, study, *space, "--epochs", "100000"))
    number = wait_for_epoch(study, dying)
    dying.kill()
    dying.communicate()
    (dead,) = read_study(study).trials
    assert (dead.number, dead.state) == (number, "running")

    # The study's trials are too long for a test; its record is that of a study of short ones.
    journal = study / "journal.log"
    journal.write_text(journal.read_text().replace('"epochs":100000', '"epochs":1'))
    command = arguments(dataset_npy, study, "--epochs", "1", "--trials", "3")
    command += ["--promote", str(winner)]
    both = [start(command), start(command)]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("its process has ended" in output for output in outputs) == 1
    trials = read_study(study).trials
    assert [trial.state for trial in trials] == ["failed", *3 * ["complete"]]
    assert trials[1].params == dead.params
    assert len({tuple(trial.params.items()) for trial in trials[1:]}) == 3
    assert read_run(winner).config.epochs == 1
    assert not list((study / "trials" / "00000").glob("*.safetensors"))
    extend = ["train", str(dataset_npy.path), "--run", str(winner), "--resume", "--epochs", "2"]
    assert run(extend) == 0


def test_sigterm_leaves_the_trial_to_the_next_process(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    process = start(arguments(dataset_npy, study, "--search", "width=4:8", "--epochs", "100000"))
    wait_for_epoch(study, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "run the same command again" in output
    assert [trial.state for trial in read_study(study).trials] == ["failed", "waiting"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> faceae_shards.Dataset:
    """240 drawn faces at 32x32, enough to compare sets of them."""
    folder = tmp_path_factory.mktemp("drawn")
    write_dataset(SynthConfig(out=folder / "faces", count=240, seed=0, workers=1))
    photos = (folder / "faces" / "img_align_celeba").rename(folder / "photos")
    pack = faceae_shards.PackConfig(
        source=photos,
        out=folder / "packed",
        crop=178,
        size=32,
        split=(0.6, 0.4, 0),
        workers=1,
    )
    faceae_shards.pack(pack)
    return faceae_shards.open_dataset(folder / "packed")


def test_too_few_faces_for_the_objective(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(dataset_npy, tmp_path / "study", "--search", "width=4:8")
    assert run([*command, "--objective", "samples"]) == 1
    assert "at least 65 faces" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_new_faces_are_the_objective(
    drawn: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    command = arguments(drawn, study, "--search", "model=plain,variational", "--epochs", "2")
    command += ["--search", "kl_weight=0.1:2", "--objective", "samples", "--samples", "80"]
    assert run([*command, "--trials", "2", "--pruning", "none"]) == 0, capsys.readouterr().err
    captured = capsys.readouterr()
    assert re.search(r"trial 0, epoch 2/2: distance \d+\.\d\d", captured.err)
    trials = read_study(study).trials
    for trial in trials:
        assert trial.value == trial.epochs[-1][1]
        assert ("kl_weight" in trial.params) == (trial.params["model"] == "variational")
    best = read_study(study).best
    assert best is not None
    assert best.value == min(trial.value or 0.0 for trial in trials)
    assert "Next: faceae report" in captured.err


def test_page(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    command = arguments(dataset_npy, study, "--search", "width=4:8", "--search", "seed=1,2,3")
    command += ["--epochs", "1", "--trials", "6", "--pruning", "none"]
    assert run(command) == 0, capsys.readouterr().err
    assert run(["report", str(study)]) == 0
    text = (study / "report.html").read_text(encoding="utf-8")
    for title in ("History", "Learning", "Importance", "Parallel coordinates", "width", "seed"):
        assert f'alt="{title}"' in text
    assert "6 complete" in text
    assert not re.search(r'(src|href)="(?!data:)', text), "the page needs no other file"
    first = text
    assert run(["report", str(study), "-o", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == first
    shutil.rmtree(study / "trials")
    assert run(["report", str(study)]) == 0, "the figures are in the journal"


def test_page_of_a_study_without_trials(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, url = tmp_path / "study", f"sqlite:///{tmp_path}/db"
    command = arguments(dataset_npy, study, "--search", "width=4:8", "--batch-size", "3")
    command += ["--accumulate", "2"]
    assert run(command) == 1
    assert "--batch-size 3" in capsys.readouterr().err
    assert run(["report", str(study)]) == 1
    assert run(["report", url]) == 1
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--search", "latent_sise=8,16"], "did you mean latent_size?"),
        (["--search", "width=4:8", "--width", "4"], "--width is both given and searched"),
        (["--search", "epochs=1,2"], "--epochs cannot be searched"),
        ([], "--search lr=1e-5:1e-3:log"),
        (["--search", "width=4:8", "--trials", "0"], "--trials must be at least 1"),
        (["--search", "width=4:8", "--study", "x://host/db"], "--runs"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    named: str,
) -> None:
    assert run(arguments(dataset_npy, tmp_path / "study", *more)) == 1
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tmp_path / "study").exists()
