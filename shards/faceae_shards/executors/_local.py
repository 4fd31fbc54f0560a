"""Tasks on all cores: fresh processes, a shared count of what is done, clean ends.

Processes are never forked from the caller, whose threads and CUDA context would do harm. Where the
system can, they are forked from a server that has imported what they need; elsewhere spawned.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .._errors import ShardsError
from ..storage import hold_shared

Tick = Callable[[], None]
"""Called by a worker for every image it is done with."""

_POLL_S = 0.2
_TICKS_A_REPORT = 32
_HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
_PRELOADED = ("faceae_shards.dataset._verify", "faceae_shards.packing._worker")
"""Modules of the workers."""

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")


def count_cpus() -> int:
    """Return the number of cores, as the default number of processes."""
    return os.cpu_count() or 1


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
    on_result: Callable[[R], None],
    on_ticks: Callable[[int], None],
    lock: Path | None = None,
) -> None:
    """Run all tasks, in no particular order.

    Tasks are drawn from the iterable as processes become free, so they need not exist at once.
    With one process everything runs in the calling one.

    Args:
        on_result: called here, with what each task returned, as soon as it did.
        on_ticks: called now and then with the number of ticks so far.
        lock: file that every other process holds a shared lock on while it lives.

    Raises:
        ShardsError: a process died.
    """
    if processes == 1:
        _run_here(worker, tasks, on_result, on_ticks)
    else:
        _run_in_pool(worker, tasks, processes, on_result, on_ticks, lock)


def warm_up() -> None:
    """Let the server that processes are forked from start meanwhile, where there is one."""
    if _HAS_SERVER:
        multiprocessing.set_forkserver_preload(list(_PRELOADED))
        forkserver.ensure_running()


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
        if num_ticks % _TICKS_A_REPORT == 0:
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
    warm_up()
    context = multiprocessing.get_context("forkserver" if _HAS_SERVER else "spawn")
    counter = context.Value("q", 0)

    def collect(pending: set[Future[R]]) -> set[Future[R]]:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            on_result(future.result())
        on_ticks(counter.value)
        return pending

    given = (worker, counter, lock, dict(os.environ))
    executor = ProcessPoolExecutor(processes, context, _start, given)
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


_worker: Worker[Any, Any]
"""Of this process, where it is one of `run_tasks`."""
_counter: "Synchronized[int]"


def _start(
    worker: Worker[Any, Any],
    counter: "Synchronized[int]",
    lock: Path | None,
    environment: dict[str, str],
) -> None:
    global _worker, _counter
    _worker, _counter = worker, counter
    os.environ.update(environment)  # the server may have started before a key of S3 was set
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
