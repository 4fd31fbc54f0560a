"""What every executor offers, and what it asks of a worker."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

ExecutorName = Literal["local", "ray"]

Tick = Callable[[], None]
"""A worker calls this after every image."""

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")


def count_cpus() -> int:
    """Return the number of cores of this machine, the default number of processes."""
    return os.cpu_count() or 1


class Worker(Protocol[T_contra, R_co]):
    """Runs tasks one after another. Executors pickle it before its first task."""

    def run(self, task: T_contra, tick: Tick) -> R_co:
        """Run one task."""

    def close(self) -> None:
        """Release what `run` opened."""


class Executor(Protocol):
    """Runs the tasks of a worker in parallel."""

    @property
    def is_remote(self) -> bool:
        """Whether tasks may run on other machines, which do not see the caller's scratch folder.

        A worker of a remote executor publishes the files that it writes. A worker of a local one
        may leave that to the caller.
        """

    def run(
        self,
        worker: Worker[T, R],
        tasks: Iterable[T],
        *,
        on_result: Callable[[R], None],
        on_ticks: Callable[[int], None],
        lock: Path | None = None,
        needs: Iterable[Path] = (),
    ) -> None:
        """Run all tasks, in no particular order.

        The executor draws a task from the iterable when a process is free for it, so the tasks need
        not exist at once.

        Args:
            on_result: the calling thread passes it the result of each task as soon as it is there.
            on_ticks: the calling thread passes it the number of ticks so far, now and then.
            lock: a file; every other process of this machine holds a shared lock on it.
            needs: files and folders that every process must see.

        Raises:
            ShardsError: a process died, or could not import what it needs.
        """
