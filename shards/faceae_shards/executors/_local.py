"""Run tasks on the cores of this machine."""

import itertools
import os
import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from ..storage import hold_shared
from ._children import ChildContext, explained_imports, settle_in, start_server
from ._executor import R, T, Worker

_POLL_S = 0.2
_TICKS_PER_REPORT = 32


@dataclass(frozen=True)
class LocalExecutor:
    """Runs tasks in processes of this machine, or in the calling one where one is enough."""

    processes: int

    @property
    def is_remote(self) -> bool:
        """All processes see what the caller sees."""
        return False

    def warm_up(self, preload: str) -> None:
        """Start loading a module for the processes to come, in the background.

        Args:
            preload: full name of the module.
        """
        if self.processes > 1:
            start_server(preload)

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
        """See `Executor`. With one process or one task everything runs in the calling process."""
        tasks = iter(tasks)
        first = list(itertools.islice(tasks, self.processes))
        tasks = itertools.chain(first, tasks)
        if len(first) > 1:
            _run_in_pool(worker, tasks, len(first), on_result, on_ticks, lock)
        else:
            _run_here(worker, tasks, on_result, on_ticks)


def _run_here(
    worker: Worker[T, R],
    tasks: Iterable[T],
    on_result: Callable[[R], None],
    on_ticks: Callable[[int], None],
) -> None:
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1
        if num_ticks % _TICKS_PER_REPORT == 0:
            on_ticks(num_ticks)

    try:
        for task in tasks:
            on_result(worker.run(task, tick))
    finally:
        worker.close()
    on_ticks(num_ticks)


def _run_in_pool(
    worker: Worker[T, R],
    tasks: Iterable[T],
    processes: int,
    on_result: Callable[[R], None],
    on_ticks: Callable[[int], None],
    lock: Path | None,
) -> None:
    start_server(type(worker).__module__)
    context = ChildContext()
    counter = context.Value("q", 0)

    def collect(pending: set[Future[R]]) -> set[Future[R]]:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            on_result(future.result())
        on_ticks(counter.value)
        return pending

    # Worker and tasks travel as bytes: a pool only reports the errors of functions, and an import
    # may already fail where they are unpickled.
    given = (pickle.dumps(worker), counter, lock, dict(os.environ))
    pool = ProcessPoolExecutor(processes, context, _start, given)
    try:
        pending: set[Future[R]] = set()
        for task in tasks:
            pending.add(pool.submit(_run, pickle.dumps(task)))
            while len(pending) > processes:
                pending = collect(pending)
        while pending:
            pending = collect(pending)
    except BrokenProcessPool as error:
        pool.shutdown(wait=True)
        raise context.explain_death() from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: Worker[Any, Any]
"""The worker of this process, where the process belongs to a pool."""
_counter: "Synchronized[int]"
_problem: Exception | None = None
"""Why this process cannot run tasks. A pool reports what `_run` raises, not what `_start` does."""


def _start(
    worker: bytes, counter: "Synchronized[int]", lock: Path | None, environment: dict[str, str]
) -> None:
    global _worker, _counter, _problem
    settle_in(environment)
    _counter = counter
    try:
        if lock is not None:
            hold_shared(lock)
        with explained_imports():
            _worker = pickle.loads(worker)
    except Exception as error:
        _problem = error


def _run(task: bytes) -> Any:
    if _problem is not None:
        raise _problem
    with explained_imports():
        return _worker.run(pickle.loads(task), _tick)


def _tick() -> None:
    with _counter.get_lock():
        _counter.get_obj().value += 1
