"""Start child processes that import nothing from the current folder, and explain how they died.

Python starts the fork server, the resource tracker and spawned processes with `python -c`, which
puts the current folder first on `sys.path`. A numpy.py or socket.py there would run in place of the
installed module before any line of ours (python/cpython#117378). From Python 3.12.8 and 3.13.1 on
the fork server then takes over the `sys.path` of the caller. That, too, begins with the current
folder where the caller was started with `-c` or `-m`, or from a script in that folder.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from .._errors import ShardsError

if sys.platform == "win32":
    from multiprocessing.context import SpawnContext as _Context
    from multiprocessing.context import SpawnProcess as _Process
else:
    from multiprocessing import forkserver
    from multiprocessing.context import ForkServerContext as _Context
    from multiprocessing.context import ForkServerProcess as _Process

_SAFE_PATH = "PYTHONSAFEPATH"
"""Environment variable that keeps Python from adding the current folder to `sys.path`."""

_starting = threading.RLock()


class ChildContext(_Context):
    """Starts processes safely and remembers them.

    Processes are not forked from the caller, whose threads and CUDA context would break in them. On
    Linux and macOS they are forked from a server that has loaded what they need; Windows has no
    such server and starts each from scratch.
    """

    def __init__(self) -> None:
        self.started: list[_Process] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Process:  # type: ignore[override]
        """Make a process; `ProcessPoolExecutor` calls this."""
        process = _SafeProcess(*args, **kwargs)
        self.started.append(process)
        return process

    def explain_death(self) -> ShardsError:
        """Return the error for a pool whose processes ended too early; all must have ended."""
        codes = {process.exitcode for process in self.started}
        if 1 in codes:
            return ShardsError(
                "a worker process failed before its first task, with the error printed above; a "
                'script that starts worker processes must do so below `if __name__ == "__main__":`'
            )
        crashes = codes & {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGILL, -signal.SIGFPE}
        if crashes:
            names = ", ".join(signal.Signals(-code).name for code in crashes if code is not None)
            return ShardsError(
                f"a worker process crashed ({names}); check that the installed packages are whole"
            )
        return ShardsError(
            "a worker process was killed, perhaps for want of memory; run the same command again "
            "to go on, with fewer `workers` if memory is short"
        )


class _SafeProcess(_Process):
    def start(self) -> None:
        with safe_start():
            super().start()


def start_server(preload: str) -> None:
    """Start the fork server in the background, where there is one and it does not run yet.

    Args:
        preload: module to load in the server, so that no process forked from it has to.
    """
    if sys.platform != "win32":
        with safe_start():
            multiprocessing.set_forkserver_preload([preload])
            forkserver.ensure_running()


@contextmanager
def safe_start() -> Iterator[None]:
    """Let processes that are started within the block import nothing from the current folder.

    The environment and `sys.path` are as before when the block ends. Ctrl-C is held back in the new
    processes, so that none prints a traceback while it imports; they release it when they are
    ready. With `python -E` the processes ignore the environment; use `python -I` then.
    """
    with _starting:
        if sys.platform != "win32":
            with _replaced(sys.path):
                resource_tracker.ensure_running()  # it would release Ctrl-C within the block
        with _replaced(sys.path), _held_sigint():
            yield


@contextmanager
def _replaced(path: list[str]) -> Iterator[None]:
    before = os.environ.get(_SAFE_PATH)
    sys.path = move_current_folder_last(path)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        sys.path = path
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def move_current_folder_last(path: Sequence[str]) -> list[str]:
    """Return an import path on which the current folder hides no installed module.

    Only an entry that Python itself put first is moved; PYTHONPATH may name the current folder. The
    entry is kept, for it may be what holds the script's own modules, or an uninstalled faceae.
    """
    if sys.flags.safe_path or not path or path[0] not in ("", str(Path.cwd())):
        return list(path)
    return [*path[1:], path[0]]


@contextmanager
def _held_sigint() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle_in(environment: dict[str, str]) -> None:
    """Prepare a new process for its work.

    It gets the caller's environment of now (the server may be older), ends without a traceback on
    Ctrl-C, and ends when its parent does.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is killed. The pool's queues would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def explained_imports() -> Iterator[None]:
    """Raise ShardsError for an ImportError in a worker process."""
    try:
        yield
    except ImportError as error:
        raise ShardsError(
            f"a worker process cannot import what it needs: {describe_import_error(error)}; "
            f"install it for {sys.executable}, or move that file away"
        ) from error


def describe_import_error(error: ImportError) -> str:
    """Return what could not be imported, and by which file where that is known."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return str(error)
    return f"{error} (asked for by {frames[-1].filename}, line {frames[-1].lineno})"
