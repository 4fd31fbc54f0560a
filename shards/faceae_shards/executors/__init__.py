"""Run tasks on the cores of this machine or on a Ray cluster."""

from ._executor import Executor, ExecutorName, Tick, Worker, count_cpus
from ._local import LocalExecutor
from ._open import open_executor

__all__ = [
    "Executor",
    "ExecutorName",
    "LocalExecutor",
    "Tick",
    "Worker",
    "count_cpus",
    "open_executor",
]
