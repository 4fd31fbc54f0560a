"""Training runs: the options, choices, metrics and files of a run's folder, and its model."""

from ._begin import begin_from_run
from ._config import KeepCheckpoints, Start, TrainConfig, list_models_of, parse_start
from ._figures import read_figures
from ._metrics import EpochMetrics, History, StepMetrics, read_history
from ._run import DtypeName, Run, read_run, run_file, write_run
from ._run_toml import write_run_toml
from ._trained import TrainedModel, open_run

__all__ = [
    "DtypeName",
    "EpochMetrics",
    "History",
    "KeepCheckpoints",
    "Run",
    "Start",
    "StepMetrics",
    "TrainConfig",
    "TrainedModel",
    "begin_from_run",
    "list_models_of",
    "open_run",
    "parse_start",
    "read_figures",
    "read_history",
    "read_run",
    "run_file",
    "write_run",
    "write_run_toml",
]
