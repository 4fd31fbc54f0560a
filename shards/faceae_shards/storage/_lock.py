"""A lock that keeps two packs out of one folder.

The kernel releases the lock when its process ends, `kill -9` included. Windows has no shared locks:
there nothing stops two packs into one folder. filelock does not offer shared locks either.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._errors import ShardsError

_PATIENCE_S = 5.0
"""How long workers of a killed pack may take to notice that it ended."""
_RETRY_S = 0.05


@contextmanager
def lock_folder(path: Path, folder: Path) -> Iterator[None]:
    """Hold the lock file `path` for the pack into `folder`.

    The lock is first taken exclusively, so that no other pack and no worker of one is alive. Then
    it becomes a shared lock, which the workers of this pack hold too.

    Raises:
        ShardsError: another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(descriptor, shared=False):
            if time.monotonic() > deadline:
                raise ShardsError(
                    f"{folder}: another process is packing into it; wait until it ends"
                )
            time.sleep(_RETRY_S)
        if not _try_lock(descriptor, shared=True):
            raise ShardsError(
                f"{folder}: another process began to pack into it; wait until it ends"
            )
        yield
    finally:
        os.close(descriptor)


def hold_shared(path: Path) -> None:
    """Hold the lock, shared, until this process ends.

    Raises:
        ShardsError: the pack of this worker ended and another began.
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
