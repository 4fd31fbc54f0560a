"""Tasks on all cores of this machine, or on a Ray cluster."""

from ._local import Tick, count_cpus, run_tasks, warm_up
from ._ray import AUTO, connected, run_on_ray

__all__ = [
    "AUTO",
    "Tick",
    "connected",
    "count_cpus",
    "run_on_ray",
    "run_tasks",
    "warm_up",
]
