"""A tracker of another package, one that fails, and what a resumed training finds again."""

import dataclasses
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainConfig, read_run
from faceae.tracking import TrackedRun, Tracker
from faceae.training import resume, train

EVENTS: list[tuple[object, ...]] = []
"""What the trackers below received."""
OPTIONS: dict[str, object] = {}
"""The options that the last tracker received."""


class Recorder(Tracker):
    """Keeps what it receives."""

    def __init__(self, run: TrackedRun) -> None:
        sys.stdout.write("words of a tracker")
        self.reference = run.reference or "run 7"
        OPTIONS.update(run.options)
        EVENTS.append(("begin", run.name, run.options["epochs"], run.reference, run.last_step))

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        EVENTS.append(("figures", step, "loss" in figures))

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        EVENTS.append(("faces", step, images_NCHW.shape[1:], grid.read_bytes()[1:4]))

    def close(self, *, is_finished: bool) -> None:
        EVENTS.append(("end", is_finished))


class Failing(Recorder):
    """Loses its server in the first step."""

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        EVENTS.append(("tried", step))
        raise ConnectionError("no route\nto host")


def refuse(run: TrackedRun) -> Tracker:
    (run.path / "leftover").mkdir()
    raise RuntimeError("no key")


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that offers three trackers, and two that cannot be imported."""
    EVENTS.clear()
    info = tmp_path / "site" / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[faceae.trackers]\nrecorder = other:Recorder\nfailing = other:Failing\n"
        "refusing = other:refuse\nmissing = no_such_package:Tracker\n"
        "damaged = other:no_such_class\n"
    )
    monkeypatch.syspath_prepend(info.parent)
    monkeypatch.setitem(sys.modules, "other", sys.modules[__name__])


def tracked_by(config: TrainConfig, *names: str) -> TrainConfig:
    return dataclasses.replace(config, tracker=names)


def test_tracker_of_another_package(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tracked_by(config, "recorder"))
    assert EVENTS[0] == ("begin", "run", 2, None, None)
    assert config.lr is None
    assert OPTIONS["lr"] == config.peak_lr, "the one that is used"
    figures = [event for event in EVENTS if event[0] == "figures"]
    # Two log steps an epoch of three steps, and its end.
    assert figures == [
        *(("figures", 2, True), ("figures", 3, True), ("figures", 3, False)),
        *(("figures", 4, True), ("figures", 6, True), ("figures", 6, False)),
    ]
    assert [event for event in EVENTS if event[0] == "faces"] == [
        ("faces", 3, (3, 32, 32), b"PNG"),
        ("faces", 6, (3, 32, 32), b"PNG"),
    ]
    assert EVENTS[-1] == ("end", True)
    captured = capsys.readouterr()
    assert (captured.out, "words of a tracker" in captured.err) == ("", True)
    assert list((config.run / "tensorboard").glob("events.*")), "TensorBoard is always written"


def test_resume_continues_in_the_same_run(config: TrainConfig) -> None:
    train(tracked_by(config, "recorder"))
    assert read_run(config.run).config.tracker == ("recorder",)
    assert json.loads((config.run / "trackers.json").read_text()) == {"recorder": "run 7"}
    EVENTS.clear()
    resume(config.run, config.data, {"epochs": 3})
    assert EVENTS[0] == ("begin", "run", 3, "run 7", 6)
    assert EVENTS[-1] == ("end", True)
    EVENTS.clear()
    resume(config.run, config.data, {"epochs": 4, "tracker": ("recorder", "failing")})
    assert [event[3] for event in EVENTS if event[0] == "begin"] == ["run 7", None]


def test_tracker_that_fails_is_reported_once(
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="faceae"):
        result = train(tracked_by(config, "failing", "recorder"))
    assert result.position.epoch == 2
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "tracker failing failed (no route to host)" in warnings[0]
    assert [event for event in EVENTS if event[0] == "tried"] == [("tried", 2)]
    assert len([event for event in EVENTS if event[0] == "figures"]) == 6


def test_tracker_that_cannot_begin_leaves_nothing(config: TrainConfig) -> None:
    with pytest.raises(FaceaeError, match="`tracker` refusing: cannot begin: no key"):
        train(tracked_by(config, "recorder", "refusing"))
    assert not config.run.exists()
    assert EVENTS[-1] == ("end", False), "the other one was closed"
    train(config)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-such", "known: tensorboard, wandb, mlflow, clearml, recorder"),
        ("missing", "no_such_package cannot be imported; install"),
        ("damaged", "damaged: its package is damaged"),
    ],
)
def test_tracker_that_is_not_there(config: TrainConfig, name: str, words: str) -> None:
    with pytest.raises(FaceaeError, match=words):
        train(tracked_by(config, name))
    assert not config.run.exists()


def test_damaged_references_name_their_file(config: TrainConfig) -> None:
    train(tracked_by(config, "recorder"))
    (config.run / "trackers.json").write_text("{")
    with pytest.raises(FaceaeError, match=r"trackers\.json: damaged"):
        resume(config.run, config.data, {"epochs": 3})
