"""What a training shows: figures in the bar of a terminal, and in lines elsewhere."""

import dataclasses
import io
import re
import time
from collections.abc import Callable

import pytest
import torch

import faceae_shards
from faceae.cli import _watching
from faceae.cli._command import verb
from faceae.cli._train_progress import TrainProgress
from faceae.runs import EpochMetrics, StepMetrics, TrainConfig
from faceae.training import train
from faceae.training._plan import plan_run

STEP = StepMetrics(
    step=2,
    epoch=1,
    loss=0.0125,
    penalty=0.0,
    lr=0.1,
    skipped_steps=0,
    images_per_s=420.4,
    data_wait_share=0.0,
    seconds=1.0,
)
EPOCH = EpochMetrics(step=3, epoch=1, valid_psnr_db=25.114, best_psnr_db=25.114, seconds=2.0)


@pytest.fixture
def show(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset
) -> Callable[[TrainProgress], None]:
    """A function that shows the middle of a second epoch."""
    run = plan_run(config, dataset_npy, torch.device("cpu"))

    def play(progress: TrainProgress) -> None:
        progress.on_start(run, step=0, total_steps=6)
        progress.on_step(2)
        progress.on_metrics(STEP)
        progress.on_epoch(EPOCH)
        progress.on_step(4)
        progress.on_metrics(STEP)

    return play


def run_verb(function: Callable[[], None]) -> None:
    verb("train")(function).main([], standalone_mode=False)


def test_lines_have_loss_quality_and_speed(
    show: Callable[[TrainProgress], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_watching, "_INTERVAL_S", 0.1)

    def body() -> None:
        with TrainProgress() as progress:
            show(progress)
            time.sleep(0.3)

    run_verb(body)
    figures = r"loss 0\.0125, held-out 25\.11 dB, 420 faces/s"
    err = capsys.readouterr().err
    assert re.search(rf"^epoch 2/2, step 4 of 6, {figures}, 0:00 since the start$", err, re.M)


def test_bar_has_loss_quality_and_speed(
    show: Callable[[TrainProgress], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")

    def body() -> None:
        with TrainProgress() as progress:
            show(progress)

    run_verb(body)
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", terminal.getvalue())
    assert re.search(r"epoch 2/2 .* 4/6 loss 0\.0125  held-out 25\.11 dB  420 faces/s", shown)


def test_components_and_measuring_are_stages(
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="faceae"):
        train(dataclasses.replace(config, init="components", epochs=1))
    stages = [record.getMessage() for record in caplog.records if record.levelname == "DEBUG"]
    assert stages == [
        "computing principal components of 24 faces",
        "measuring held-out faces after epoch 1",
        "writing a checkpoint after step 3",
    ]
