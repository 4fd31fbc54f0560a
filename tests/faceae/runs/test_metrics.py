"""metrics.jsonl read back, also of a run that is at work or damaged."""

from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae.runs import StepMetrics, TrainConfig, read_history, read_run
from faceae.training import train


@pytest.fixture
def metrics_path(config: TrainConfig) -> Path:
    """The metrics of a finished run of two epochs."""
    train(config)
    return config.run / "metrics.jsonl"


def test_reads_what_training_wrote(metrics_path: Path) -> None:
    history = read_history(read_run(metrics_path.parent))
    assert [metrics.step for metrics in history.steps] == [2, 3, 4, 6]
    assert [metrics.epoch for metrics in history.epochs] == [1, 2]
    assert isinstance(history.steps[0], StepMetrics)
    assert all(metrics.valid_psnr_db > 0 for metrics in history.epochs)


def test_last_line_without_an_end_is_left_out(metrics_path: Path) -> None:
    text = metrics_path.read_text()
    metrics_path.write_text(text[:-20])
    history = read_history(read_run(metrics_path.parent))
    assert len(history.steps) == 4
    assert len(history.epochs) == 1


def test_damaged_line_is_named(metrics_path: Path) -> None:
    lines = metrics_path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\x00\xff\n"
    metrics_path.write_bytes(b"".join(lines))
    with pytest.raises(FaceaeError, match=r"metrics\.jsonl: line 2 is damaged.*resume the run"):
        read_history(read_run(metrics_path.parent))


def test_a_line_of_other_software_is_named(metrics_path: Path) -> None:
    with metrics_path.open("a") as file:
        file.write('{"loss": 1.0}\n')
    with pytest.raises(FaceaeError, match=r"line 7 .*another faceae \('step'\)"):
        read_history(read_run(metrics_path.parent))


def test_before_the_first_log_step_it_is_empty(metrics_path: Path) -> None:
    metrics_path.unlink()
    history = read_history(read_run(metrics_path.parent))
    assert (history.steps, history.epochs) == ((), ())
