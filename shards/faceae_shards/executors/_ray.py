"""Run tasks on a Ray cluster.

Each task runs in some process of the cluster. It carries all that it needs, so any process can run
it, and another one can run it again where the first was killed.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from .._errors import ShardsError
from ._children import describe_import_error
from ._cluster import import_ray
from ._executor import R, T, Worker
from ._surroundings import Surroundings, get_versions

log = logging.getLogger(__name__)

_TASKS_PER_ROOM = 2
"""One task runs and one waits for its CPU."""
_MAX_RETRIES = 3
"""How often Ray repeats a task whose process was killed."""
_POLL_S = 0.2
_SETTLE_S = 10.0
_GROWTH_S = 600.0
"""How long a cluster may take to start a machine that is large enough for a task."""


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """Runs each task on a share of the cluster that `connected` connects to.

    A task whose process is killed runs again, at most three times more; so running a task twice
    must do no harm.
    """

    max_in_flight: int | None
    """Tasks that may run or wait in the cluster. The default is two for each that it has room
    for."""
    cpus_per_task: int = 1
    use_gpus: bool = False
    """Whether each task has a GPU, if the cluster has any."""

    @property
    def is_remote(self) -> bool:
        """Other machines do not see the caller's scratch folder."""
        return True

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
        """See `Executor`. Tasks do not hold the lock, but must see its file."""
        ray = import_ray()
        paths = (*needs, *([lock] if lock is not None else []))
        surroundings = Surroundings(versions=get_versions(), paths=paths)
        shared = ray.put(ray.cloudpickle.dumps((_run, worker, surroundings)))
        share = self._choose_share(ray)
        start = ray.remote(**share, max_retries=_MAX_RETRIES)(
            _make_entry(str(Path.cwd()), sys.path)
        )
        pending: set[Any] = set()
        num_ticks = 0

        def collect() -> None:
            nonlocal num_ticks
            done, _ = ray.wait(list(pending), timeout=_POLL_S)
            check_term()
            for reference in done:
                pending.remove(reference)
                result, ticks = ray.get(reference)
                num_ticks += ticks
                on_result(result)
                on_ticks(num_ticks)

        with _explained(ray), _settled_on_error(ray, pending), _deferred_sigterm() as check_term:
            _wait_for_room(ray, share, check_term)
            for task in tasks:
                pending.add(start.remote(shared, ray.cloudpickle.dumps(task)))
                while len(pending) >= (self.max_in_flight or _count_places(ray, share)):
                    collect()
            while pending:
                collect()

    def _choose_share(self, ray: Any) -> dict[str, int]:
        """Return what of the cluster a task has, as options of `ray.remote`."""
        has_gpus = self.use_gpus and ray.cluster_resources().get("GPU", 0) >= 1
        return {"num_cpus": self.cpus_per_task} | ({"num_gpus": 1} if has_gpus else {})


def _make_entry(folder: str, path: list[str]) -> Callable[[bytes, bytes], tuple[Any, int]]:
    """Return the function that the cluster's processes call.

    Where the program connected to Ray itself, Ray puts the caller's current folder first on the
    `sys.path` of these processes (see `connected`). They receive this function by value, as Ray
    sends every nested function, and everything else as bytes; so they import nothing of ours before
    they have mended their path. The folder goes last where the caller imports from it, too.

    Args:
        folder: the caller's current folder.
        path: the caller's `sys.path`.
    """
    is_used = "" in path or folder in path

    def run(shared: bytes, task: bytes) -> tuple[Any, int]:
        import pickle
        import sys

        while sys.path[0] == folder:
            del sys.path[0]
        if is_used and folder not in sys.path:
            sys.path.append(folder)
        run_task, worker, surroundings = pickle.loads(shared)
        result: tuple[Any, int] = run_task(worker, surroundings, pickle.loads(task))
        return result

    return run


def _run(worker: Worker[T, R], surroundings: Surroundings, task: T) -> tuple[R, int]:
    """Run one task in a process of the cluster. Return its result and number of ticks."""
    surroundings.check()
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1

    try:
        result = worker.run(task, tick)
    finally:
        worker.close()
    return result, num_ticks


def _wait_for_room(ray: Any, share: Mapping[str, int], check_term: Callable[[], None]) -> None:
    """Return once some machine has the CPUs of a task. A cluster may grow for a task that waits.

    Raises:
        ShardsError: no such machine has joined for a long time.
    """
    needed, largest = share["num_cpus"], _find_most_cpus(ray)
    if needed <= largest:
        return
    log.warning(
        "a task needs %d CPUs, and the largest machine of the Ray cluster has %d; waiting up to "
        "%.0f minutes for a larger one",
        needed,
        largest,
        _GROWTH_S / 60,
    )
    probe = ray.remote(**share)(lambda: None).remote()  # what waits makes a cluster grow
    deadline = time.monotonic() + _GROWTH_S
    try:
        while not ray.wait([probe], timeout=_POLL_S)[0]:
            check_term()
            if time.monotonic() > deadline:
                largest = max(1, _find_most_cpus(ray))
                raise ShardsError(
                    f"a task needs {needed} CPUs, and the largest machine of the Ray cluster has "
                    f"{largest}; let each need {largest} at most, or add a larger machine first"
                )
    finally:
        ray.cancel(probe)


def _find_most_cpus(ray: Any) -> int:
    """Return the CPUs of the largest machine."""
    sizes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return int(max(sizes, default=0))


def _count_places(ray: Any, share: Mapping[str, int]) -> int:
    """Return how many tasks of a share the cluster, which may grow, takes at a time."""
    resources = ray.cluster_resources()
    rooms = [int(resources.get("CPU", 0) // share["num_cpus"])]
    if "num_gpus" in share:
        rooms.append(int(resources.get("GPU", 0) // share["num_gpus"]))
    return max(1, _TASKS_PER_ROOM * min(rooms))


@contextmanager
def _explained(ray: Any) -> Iterator[None]:
    """Raise what a task raised, and ShardsError where the cluster itself failed."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ImportError):
            raise _cannot_begin(describe_import_error(error.cause)) from error
        if isinstance(error.cause, ray.exceptions.RayError):
            raise _cannot_begin(str(error.cause).partition("\n")[0]) from error
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise ShardsError(
            f"the Ray cluster lost a task for good ({type(error).__name__}: processes or machines "
            "died, perhaps for want of memory); run the same command again to go on"
        ) from error


def _cannot_begin(why: str) -> ShardsError:
    return ShardsError(
        f"a machine of the Ray cluster could not begin a task: {why}; install the same version of "
        "faceae on all of them"
    )


@contextmanager
def _settled_on_error(ray: Any, pending: set[Any]) -> Iterator[None]:
    """Wait for the tasks in flight where the block fails, Ctrl-C included.

    They are few and short. Cancelling a task in the moment it is done aborts this process (Ray
    2.60: "Tried to complete task that was not pending").
    """
    try:
        yield
    except BaseException:
        if pending:
            ray.wait(list(pending), num_returns=len(pending), timeout=_SETTLE_S)
        raise


@contextmanager
def _deferred_sigterm() -> Iterator[Callable[[], None]]:
    """Yield a function that calls the handler of SIGTERM if the signal came meanwhile.

    An exception that a handler raises inside of Ray does not leave Ray, except KeyboardInterrupt.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGTERM, lambda number, frame: came.append((number, frame)))

    def check() -> None:
        if came:
            handler(*came[0])

    try:
        yield check
    finally:
        signal.signal(signal.SIGTERM, handler)
