"""The step, the loop, checkpoints, logging."""

from ._config import TrainConfig, parse_start
from ._evaluate import Evaluation, evaluate, psnr_db
from ._history import History, read_history
from ._log import EpochMetrics, Observer, StepMetrics, grid_path
from ._loop import TrainResult, resume, train
from ._ranks import is_first_rank
from ._run import Run, read_run

__all__ = [
    "EpochMetrics",
    "Evaluation",
    "History",
    "Observer",
    "Run",
    "StepMetrics",
    "TrainConfig",
    "TrainResult",
    "evaluate",
    "grid_path",
    "is_first_rank",
    "parse_start",
    "psnr_db",
    "read_history",
    "read_run",
    "resume",
    "train",
]
