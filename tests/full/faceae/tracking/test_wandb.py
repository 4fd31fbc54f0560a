"""W&B's files of offline mode, read back."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig, read_history
from faceae.training import train


def read_records(path: Path) -> Iterator[Any]:
    store = DataStore()
    store.open_for_scan(str(path))
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        yield record


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What was logged, a dictionary for each call."""
    return [
        {
            item.key or ".".join(item.nested_key): json.loads(item.value_json)
            for item in record.history.item
        }
        for record in read_records(path)
        if record.WhichOneof("record_type") == "history"
    ]


@pytest.mark.filterwarnings("default")
def test_files_have_the_figures_of_one_run(
    track: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = track("wandb")
    files = sorted(run.path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2, "one for each training"
    reference = json.loads((run.path / "trackers.json").read_text())["wandb"]
    assert {file.name for file in files} == {f"run-{reference}.wandb"}, "of the same run"
    rows = [row for file in files for row in read_rows(file)]
    history = read_history(run)
    for name, expected in (
        ("loss", [(each.step, each.loss) for each in history.steps]),
        ("valid_psnr_db", [(each.step, each.valid_psnr_db) for each in history.epochs]),
    ):
        assert [(row["step"], row[name]) for row in rows if name in row] == expected
    assert [row["step"] for row in rows if any(key.startswith("faces") for key in row)] == [3, 6, 9]


@pytest.mark.filterwarnings("default")
def test_missing_key(config: TrainConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FaceaeError, match="`tracker` wandb: cannot begin: no API key"):
        train(dataclasses.replace(config, tracker=("wandb",)))
    assert not config.run.exists()
