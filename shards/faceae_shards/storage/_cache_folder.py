"""The cache folder for downloaded datasets, and its size limit.

For a dataset with hash H the cache holds the folder `H`, `H.json` (URL and size; its modification
time is the time of the last use), `H.lock` (shared by the processes that use the dataset) and
`H.download` (held by the process that downloads it). The kernel releases a lock when its process
ends. Windows has no shared locks: there a dataset in use may be removed.
"""

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .._errors import ShardsError
from ._atomic import remove, write_json

PLACE_VARIABLE = "FACEAE_CACHE"
LIMIT_VARIABLE = "FACEAE_CACHE_GIB"
_DEFAULT_GIB = 64.0
_BYTES_A_GIB = 1 << 30
_LOCK_NAME = "cache.lock"


def find_cache() -> Path:
    """Return the cache folder: $FACEAE_CACHE, else `faceae` in the user's cache folder.

    The user's cache folder is that of the operating system: ~/.cache on Linux.
    """
    place = os.environ.get(PLACE_VARIABLE)
    if place:
        return Path(place).absolute()
    import platformdirs  # only where it is needed, as filelock: packing starts sooner

    return platformdirs.user_cache_path("faceae", appauthor=False)


def read_limit() -> int:
    """Return the size limit of the cache in bytes: $FACEAE_CACHE_GIB, else 64 GiB.

    Raises:
        ShardsError: $FACEAE_CACHE_GIB is not a positive number.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(_DEFAULT_GIB)
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not (gib > 0 and math.isfinite(gib)):
        raise ShardsError(f"{LIMIT_VARIABLE} must be a positive number of GiB, got {text!r}")
    return int(gib * _BYTES_A_GIB)


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A dataset's place in the cache."""

    cache: Path
    hash: str
    """`Dataset.hash`."""

    @property
    def folder(self) -> Path:
        """Folder of its files."""
        return self.cache / self.hash

    @property
    def record(self) -> Path:
        """File with its URL and size; modified when the dataset is used."""
        return self.cache / f"{self.hash}.json"

    @property
    def num_bytes(self) -> int:
        """Size of the whole dataset."""
        content = json.loads(self.record.read_text(encoding="utf-8"))
        return int(content["num_bytes"])

    def hold(self) -> None:
        """Protect it from removal until this process ends."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if self.folder not in _held:
            _held[self.folder] = _lock_shared(self.cache / f"{self.hash}.lock")

    @contextmanager
    def downloading(self) -> Iterator[None]:
        """Be the only process that downloads it during the block; wait for any other."""
        from filelock import FileLock

        with FileLock(self.cache / f"{self.hash}.download"):
            yield

    def touch(self) -> None:
        """Record that it was used now."""
        os.utime(self.record)

    def make_room(self, num_bytes: int, location: str) -> None:
        """Reserve `num_bytes` for it; remove the least recently used datasets where needed.

        Datasets that a living process uses stay.

        Raises:
            ShardsError: it is larger than the limit, or datasets in use leave too little room.
        """
        from filelock import FileLock

        limit = read_limit()
        if num_bytes > limit:
            raise _too_large(location, num_bytes, f"the cache may hold {_format(limit)}")
        with FileLock(self.cache / _LOCK_NAME):
            self._remove_others(num_bytes, limit, location)
            write_json(self.record, {"location": location, "num_bytes": num_bytes})

    def _remove_others(self, num_bytes: int, limit: int, location: str) -> None:
        others = sorted(self._list_others(), key=lambda other: other.record.stat().st_mtime)
        excess = sum(other.num_bytes for other in others) + num_bytes - limit
        for other in others:
            if excess > 0:
                excess -= other._remove_unused()
        if excess > 0:
            raise _too_large(
                location,
                num_bytes,
                f"{_format(limit + excess - num_bytes)} of the cache are "
                f"in use by other processes, and it may hold {_format(limit)}",
            )

    def _list_others(self) -> list["CacheEntry"]:
        hashes = {record.stem for record in self.cache.glob("*.json")}
        return [CacheEntry(cache=self.cache, hash=name) for name in sorted(hashes - {self.hash})]

    def _remove_unused(self) -> int:
        """Delete it unless a process uses it; return the number of bytes that this freed."""
        descriptor = _try_lock_exclusive(self.cache / f"{self.hash}.lock")
        if descriptor is None:
            return 0
        try:
            num_bytes = self.num_bytes
            remove(self.folder)
            remove(self.record)
        finally:
            os.close(descriptor)
        return num_bytes


_held: dict[Path, int] = {}
"""Descriptors of the locks on the datasets that this process uses."""


def _lock_shared(path: Path) -> int:
    """Wait for a lock that processes share, which filelock lacks; return its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _try_lock_exclusive(path: Path) -> int | None:
    """Return the descriptor of the same lock held exclusively; None where any process shares it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
    return descriptor


def _too_large(location: str, num_bytes: int, why: str) -> ShardsError:
    return ShardsError(
        f"{location} takes {_format(num_bytes)}, but {why}; set {LIMIT_VARIABLE} to a larger "
        f"number of GiB, or {PLACE_VARIABLE} to a folder on a larger disk"
    )


def _format(num_bytes: int) -> str:
    return f"{num_bytes / _BYTES_A_GIB:.3g} GiB"
