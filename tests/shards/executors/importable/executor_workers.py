"""Workers for the tests of executors, in a module that child processes can import by its name.

A package of another project may be called `tests`, as this folder is.
"""

import os
import signal
from collections.abc import Callable

from faceae_shards.executors import Tick


class SquareWorker:
    """Squares numbers; ticks once for each; does what some tasks ask for instead."""

    def run(self, task: int | str, tick: Tick) -> int:
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == "import":
            import nowhere  # noqa: F401
        assert isinstance(task, int)
        tick()
        return task * task

    def close(self) -> None: ...


class EnvironmentWorker:
    """Returns what a process sees of a variable, and the signals that it blocks."""

    def run(self, task: str, tick: Tick) -> tuple[str | None, set[int]]:
        return os.environ.get(task), {*signal.pthread_sigmask(signal.SIG_BLOCK, [])}

    def close(self) -> None: ...


class LostWorker(SquareWorker):
    """Cannot be unpickled, like a class whose module is not installed."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return __import__, ("nowhere",)
