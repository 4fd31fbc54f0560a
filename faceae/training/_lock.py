"""One context at a time on a run."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceae.errors import FaceaeError

from ._run import RUN_NAME


@contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Hold the run in folder `path`, by a lock on its run.json.

    The kernel drops the lock with the process, `kill -9` included. Windows has no such locks: there
    nothing stops two sessions.

    Raises:
        FaceaeError: another process holds it.
    """
    # For writing, which network file systems ask for.
    descriptor = os.open(path / RUN_NAME, os.O_RDWR)
    try:
        if not _try_lock(descriptor):
            raise FaceaeError(
                f"{path}: another process is training this run; wait for its end, or stop it"
            )
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
