"""Tasks on all cores: spawned processes, a shared count of what is done, clean ends.

Processes are spawned, not forked, so that a caller's threads and CUDA context do no harm.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ._errors import ShardsError
from ._lock import hold_shared

Tick = Callable[[], None]
"""Called by a worker for every image it is done with."""

_POLL_S = 0.2
_TICKS_A_REPORT = 32

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")


class Worker(Protocol[T_contra, R_co]):
    """Does tasks, one after another; picklable before its first, copied into each process."""

    def run(self, task: T_contra, tick: Tick) -> R_co:
        """Do one task."""

    def close(self) -> None:
        """Release what `run` opened."""


def run_tasks(
    worker: Worker[T, R],
    tasks: Iterable[T],
    *,
    processes: int,
    on_ticks: Callable[[int], None],
    lock: Path | None = None,
) -> list[R]:
    """Run all tasks and return their results, in no particular order.

    Tasks are drawn from the iterable as processes become free, so they need not exist at once.
    With one process everything runs in the calling one.

    Args:
        on_ticks: called now and then with the number of ticks so far.
        lock: file that every spawned process holds a shared lock on while it lives.

    Raises:
        ShardsError: a process died.
    """
    if processes == 1:
        return _run_here(worker, tasks, on_ticks)
    return _run_in_pool(worker, tasks, processes, on_ticks, lock)


def _run_here(worker: Worker[T, R], tasks: Iterable[T], on_ticks: Callable[[int], None]) -> list[R]:
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1
        if num_ticks % _TICKS_A_REPORT == 0:
            on_ticks(num_ticks)

    try:
        results = [worker.run(task, tick) for task in tasks]
    finally:
        worker.close()
    on_ticks(num_ticks)
    return results


def _run_in_pool(
    worker: Worker[T, R],
    tasks: Iterable[T],
    processes: int,
    on_ticks: Callable[[int], None],
    lock: Path | None,
) -> list[R]:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    results: list[R] = []

    def collect(pending: set[Future[R]]) -> set[Future[R]]:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        results.extend(future.result() for future in done)
        on_ticks(counter.value)
        return pending

    executor = ProcessPoolExecutor(processes, context, _start, (worker, counter, lock))
    try:
        pending: set[Future[R]] = set()
        for task in tasks:
            pending.add(executor.submit(_run, task))
            while len(pending) > processes:
                pending = collect(pending)
        while pending:
            pending = collect(pending)
    except BrokenProcessPool as error:
        raise ShardsError(
            "a worker process was killed, perhaps for want of memory; "
            "run the same command again to go on, with fewer --workers if memory is short"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return results


_worker: Worker[Any, Any]
"""Of this process, where it is a spawned one."""
_counter: "Synchronized[int]"


def _start(worker: Worker[Any, Any], counter: "Synchronized[int]", lock: Path | None) -> None:
    global _worker, _counter
    _worker, _counter = worker, counter
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # on Ctrl-C end at once, without a traceback
    if lock is not None:
        hold_shared(lock)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent was killed; the executor's queues would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(task: Any) -> Any:
    return _worker.run(task, _tick)


def _tick() -> None:
    with _counter.get_lock():
        _counter.value += 1
