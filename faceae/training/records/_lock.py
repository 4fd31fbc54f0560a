"""A lock that lets one process at a time train a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from faceae.errors import FaceaeError

_LOCK_NAME = ".lock"
"""A file of its own: on Windows nobody could read run.json while it is locked."""


@contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Hold the run in folder `path` until the block ends.

    The operating system releases the lock when the process ends, even by `kill -9`. The empty lock
    file stays.

    Raises:
        FaceaeError: another process holds the run.
    """
    lock = FileLock(path / _LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise FaceaeError(
            f"{path}: another process is training this run; wait for its end, or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()
