"""MLflow's local store, read back."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig, read_history
from faceae.training import train


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new SQLite store."""
    monkeypatch.chdir(tmp_path)  # MLflow puts artifacts into the current folder
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.mark.filterwarnings("default")
def test_store_has_the_figures_of_one_run(track: Callable[[str], Run], store: str) -> None:
    run = track("mlflow")
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("faceae")
    (stored,) = client.search_runs([experiment.experiment_id])
    assert stored.info.run_name == run.path.name
    assert stored.info.status == "FINISHED"
    assert stored.data.params["latent_size"] == "16"
    history = read_history(run)
    for name, expected in (
        ("loss", [(each.step, each.loss) for each in history.steps]),
        ("valid_psnr_db", [(each.step, each.valid_psnr_db) for each in history.epochs]),
    ):
        found = client.get_metric_history(stored.info.run_id, name)
        assert [(each.step, each.value) for each in found] == expected
    grids = [file.path for file in client.list_artifacts(stored.info.run_id, "grids")]
    assert grids == [f"grids/epoch-000{epoch}.png" for epoch in (1, 2, 3)]


@pytest.mark.filterwarnings("default")
def test_server_that_does_not_answer(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(FaceaeError, match="`tracker` mlflow: cannot begin: "):
        train(dataclasses.replace(config, tracker=("mlflow",)))
    assert not config.run.exists()
