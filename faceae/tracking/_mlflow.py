"""MLflow (extra `mlflow`). MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME choose where."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from ._tracker import TrackedRun, Tracker

# MLflow's own values let a start without network wait for several minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

_EXPERIMENT = "faceae"


class MlflowTracker(Tracker):
    """A run of MLflow."""

    def __init__(self, run: TrackedRun) -> None:
        self._client = MlflowClient()
        if run.reference is not None:
            self.reference = self._run_id = run.reference
            self._client.update_run(self._run_id, status="RUNNING")
            return
        created = self._client.create_run(self._find_experiment(), run_name=run.name)
        self.reference = self._run_id = created.info.run_id
        params = [Param(name, str(value)) for name, value in run.options.items()]
        self._client.log_batch(self._run_id, params=params)

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Log the figures."""
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_ms, step) for name, value in figures.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Store the grid as an artifact."""
        self._client.log_artifact(self._run_id, str(grid), "grids")

    def close(self, *, is_finished: bool) -> None:
        """Set the status of the run."""
        self._client.set_terminated(self._run_id, status="FINISHED" if is_finished else "KILLED")

    def _find_experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))
