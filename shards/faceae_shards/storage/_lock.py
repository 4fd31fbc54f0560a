"""A lock that keeps two packs out of one folder.

The operating system releases it when its process ends, `kill -9` included.

On Linux and macOS this is a kernel lock that the pack and its workers share; filelock has no shared
kernel locks. After `kill -9` of a pack its workers may live on for a moment and write into their
scratch folder. The next pack deletes that folder, so it must wait for their end: it takes the lock
exclusively first.

On Windows only the pack itself holds a lock, by filelock.
"""

import hashlib
import os
import sys
import tempfile
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
    """Hold the lock of a pack into `folder` until the block ends.

    Args:
        path: the lock's file, which may be deleted within the block.

    Raises:
        ShardsError: another process holds the lock.
    """
    if sys.platform == "win32":
        path.touch()
        held = lock_by_name(folder)
    else:
        held = _lock_with_workers(path, folder)
    with held:
        yield


def hold_shared(path: Path) -> None:
    """Hold the lock of the pack that this worker belongs to until this process ends.

    Raises:
        ShardsError: that pack ended and another one began.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDWR)
    if not _try_lock(descriptor, shared=True):
        raise ShardsError(f"{path} was taken over by another pack")


@contextmanager
def lock_by_name(folder: Path) -> Iterator[None]:
    """Hold a lock on the name of a folder, for processes of this machine and user.

    Its file lies in the folder for temporary files: Windows deletes no open file, and a pack
    deletes the folder of its own state when it is done.
    """
    from filelock import FileLock, Timeout  # packs on Linux and macOS do without it

    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    lock = FileLock(Path(tempfile.gettempdir(), f"faceae-{name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise _taken(folder) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _lock_with_workers(path: Path, folder: Path) -> Iterator[None]:
    """Lock exclusively, which no other pack nor its workers outlive; then share with workers."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(descriptor, shared=False):
            if time.monotonic() > deadline:
                raise _taken(folder)
            time.sleep(_RETRY_S)
        if not _try_lock(descriptor, shared=True):
            raise _taken(folder)
        yield
    finally:
        os.close(descriptor)


def _taken(folder: Path) -> ShardsError:
    return ShardsError(f"{folder}: another process is packing into it; wait until it ends")


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
