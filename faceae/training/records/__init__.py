"""The files that a training writes: checkpoints, metrics, figures for trackers, grids of faces."""

from ._checkpoint import (
    Checkpoint,
    Position,
    RandomState,
    drop_checkpoints,
    list_checkpoints,
    load_checkpoint,
    random_state,
    read_position,
    save_checkpoint,
    set_random_state,
)
from ._lock import lock_run
from ._log import RunLog
from ._meter import StepMeter

__all__ = [
    "Checkpoint",
    "Position",
    "RandomState",
    "RunLog",
    "StepMeter",
    "drop_checkpoints",
    "list_checkpoints",
    "load_checkpoint",
    "lock_run",
    "random_state",
    "read_position",
    "save_checkpoint",
    "set_random_state",
]
