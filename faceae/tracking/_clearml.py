"""ClearML (extra `clearml`). clearml.conf or its variables choose the server."""

from collections.abc import Mapping
from pathlib import Path

import torch
from clearml import Task

from ._tracker import TrackedRun, Tracker

_PROJECT = "faceae"
_OFFLINE_PREFIX = "offline-"


class ClearmlTracker(Tracker):
    """A task of ClearML. CLEARML_OFFLINE_MODE=1 keeps it in a folder of ClearML."""

    def __init__(self, run: TrackedRun) -> None:
        # The session of a training that was tracked offline cannot be continued.
        continued = run.reference
        if continued is not None and continued.startswith(_OFFLINE_PREFIX):
            continued = None
        self._task = Task.init(
            project_name=_PROJECT,
            task_name=run.name,
            reuse_last_task_id=False,
            continue_last_task=continued or False,
            auto_connect_arg_parser=False,
            auto_connect_frameworks=False,
            auto_connect_streams=False,
            auto_resource_monitoring=False,
        )
        # ClearML would add the number of steps before to those of a continued task.
        self._task.set_initial_iteration(0)
        self._task.connect({name: str(value) for name, value in run.options.items()})
        self.reference = self._task.id
        self._logger = self._task.get_logger()

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Report scalars."""
        for name, value in figures.items():
            self._logger.report_scalar(name, name, float(value), step)

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Report the grid."""
        self._logger.report_image("faces", "grid", step, local_path=str(grid))

    def close(self, *, is_finished: bool) -> None:
        """Upload the rest, and set the status of the task."""
        self._task.flush(wait_for_uploads=True)
        if not is_finished:
            self._task.mark_stopped(force=True)
        self._task.close()
