"""Training runs: the options, choices, metrics and files of a run's folder, and its model."""

from ._config import Start, TrainConfig, parse_start
from ._metrics import EpochMetrics, History, StepMetrics, read_history
from ._run import DtypeName, Run, read_run, run_file, write_run
from ._trained import TrainedModel, open_run

__all__ = [
    "DtypeName",
    "EpochMetrics",
    "History",
    "Run",
    "Start",
    "StepMetrics",
    "TrainConfig",
    "TrainedModel",
    "open_run",
    "parse_start",
    "read_history",
    "read_run",
    "run_file",
    "write_run",
]
