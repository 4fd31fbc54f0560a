"""ClearML's folder of offline mode, read back."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from faceae.runs import TrainConfig, read_history, read_run, run_file


def test_session_has_the_figures(config: TrainConfig, tmp_path: Path) -> None:
    """In a process of its own: ClearML has one task a process, and reads variables once."""
    argv = ["train", str(config.data), "--run", str(config.run), "--epochs", "2"]
    argv += ["--batch-size", "8", "--latent-size", "16", "--width", "4", "--init", "random"]
    argv += ["--no-amp", "--loader", "webdataset", "--tracker", "clearml"]
    done = subprocess.run(
        [sys.executable, "-m", "faceae", *argv],
        env=os.environ | {"CLEARML_OFFLINE_MODE": "1", "CLEARML_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ClearML" not in done.stdout
    assert run_file(config.run).is_file()
    (session,) = tmp_path.rglob("offline-*.zip")
    with zipfile.ZipFile(session) as file:
        lines = file.read("metrics.jsonl").decode().splitlines()
    events = [event for line in lines for event in json.loads(line)]
    losses = {event["iter"]: event["value"] for event in events if event.get("metric") == "loss"}
    assert losses == {each.step: each.loss for each in read_history(read_run(config.run)).steps}
