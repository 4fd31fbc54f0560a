"""One pack at a time in a folder.

The kernel drops these locks with the process that holds them, `kill -9` included. Windows has no
such locks: there nothing stops two packs into one folder.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._errors import ShardsError

_PATIENCE_S = 5.0
"""How long workers of a killed pack may take to notice that it is gone."""
_RETRY_S = 0.05


@contextmanager
def lock_folder(path: Path, folder: Path) -> Iterator[None]:
    """Hold the lock file `path` for the pack into `folder`.

    It is taken exclusively, so that neither another pack nor a worker left over from one is alive,
    then shared with the workers to come.

    Raises:
        ShardsError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(descriptor, shared=False):
            if time.monotonic() > deadline:
                raise ShardsError(f"{folder}: another process is packing into it; wait for its end")
            time.sleep(_RETRY_S)
        if not _try_lock(descriptor, shared=True):
            raise ShardsError(f"{folder}: another process began to pack into it; wait for its end")
        yield
    finally:
        os.close(descriptor)


def hold_shared(path: Path) -> None:
    """Share the lock until this process ends.

    Raises:
        ShardsError: the pack that this worker belongs to is gone and another has begun.
    """
    descriptor = os.open(path, os.O_RDWR)
    if not _try_lock(descriptor, shared=True):
        raise ShardsError(f"{path} was taken over by another pack")


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
