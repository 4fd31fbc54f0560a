"""The folder that downloaded datasets are kept in, and how much it may hold.

Of a dataset of hash H it holds the folder `H`, `H.json` (what it is; changed when it was last
used), `H.lock` (shared by the processes that use it) and `H.download` (held by the one that
downloads it). The kernel drops these locks with their process; Windows has no such locks, there a
dataset in use may be removed.
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
    """Return the cache's folder: $FACEAE_CACHE, else `faceae` in the user's cache folder."""
    place = os.environ.get(PLACE_VARIABLE)
    if place:
        return Path(place).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faceae"


def read_limit() -> int:
    """Return the bytes that the cache may hold: $FACEAE_CACHE_GIB, else 64 GiB.

    Raises:
        ShardsError: it is no positive number.
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
        """Where its files lie."""
        return self.cache / self.hash

    @property
    def record(self) -> Path:
        """What tells its size, and by its time of change when it was last used."""
        return self.cache / f"{self.hash}.json"

    @property
    def num_bytes(self) -> int:
        """What it takes when it is whole."""
        content = json.loads(self.record.read_text(encoding="utf-8"))
        return int(content["num_bytes"])

    def hold(self) -> None:
        """Keep it from being removed until this process ends."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if self.folder not in _held:
            _held[self.folder] = _lock(self.cache / f"{self.hash}.lock", exclusive=False)

    @contextmanager
    def downloading(self) -> Iterator[None]:
        """Be the only process that downloads it; wait for another one."""
        descriptor = _lock(self.cache / f"{self.hash}.download", exclusive=True)
        try:
            yield
        finally:
            os.close(descriptor)

    def touch(self) -> None:
        """Note that it is used now."""
        os.utime(self.record)

    def make_room(self, num_bytes: int, location: str) -> None:
        """Reserve `num_bytes` for it, if need be by removing what was not used for longest.

        What a living process uses stays.

        Raises:
            ShardsError: it is larger than the cache may be, or what is in use leaves no room.
        """
        limit = read_limit()
        if num_bytes > limit:
            raise _too_large(location, num_bytes, f"the cache may hold {_format(limit)}")
        lock = _lock(self.cache / _LOCK_NAME, exclusive=True)
        try:
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
            write_json(self.record, {"location": location, "num_bytes": num_bytes})
        finally:
            os.close(lock)

    def _list_others(self) -> list["CacheEntry"]:
        hashes = {record.stem for record in self.cache.glob("*.json")}
        return [CacheEntry(cache=self.cache, hash=name) for name in sorted(hashes - {self.hash})]

    def _remove_unused(self) -> int:
        """Delete it unless a process uses it; return the bytes that its going makes free."""
        descriptor = _try_lock(self.cache / f"{self.hash}.lock")
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


def _lock(path: Path, *, exclusive: bool) -> int:
    """Wait for a lock and return the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
    return descriptor


def _try_lock(path: Path) -> int | None:
    """Return the descriptor that holds a lock exclusively, None where another process has it."""
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
