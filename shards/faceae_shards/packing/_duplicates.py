"""Find images whose files hold the same bytes."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..executors import LocalExecutor, Tick
from ..images import ImageRefused
from ..sources import Entries, Entry, Reader, Source, read_ahead

log = logging.getLogger(__name__)

DIGEST_BYTES = 16
"""Bytes kept of a sha256. Two of a billion images share them by chance with odds of 1 to 10^20."""

_DIGEST = np.dtype(f"V{DIGEST_BYTES}")
_ENTRIES_PER_TASK = 1024

_Numbered = tuple[int, Entry]


def digest(data: bytes) -> bytes:
    """Return a digest that is equal for equal files."""
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


class Repeats(NamedTuple):
    """How many images have the bytes of an earlier one."""

    num_all: int
    num_across: int
    """Of these, how often a file lies in one more split. Its copies within a split do not count."""


def count_repeats(digests: Mapping[str, Iterable[bytes]]) -> Repeats:
    """Count the digests that repeat an earlier one.

    Args:
        digests: chunks by split, each of any number of digests one after another.
    """
    found = [np.frombuffer(bytearray().join(chunks), _DIGEST) for chunks in digests.values()]
    distinct = [np.unique(each) for each in found]
    num_distinct = len(np.unique(np.concatenate(distinct)))
    return Repeats(sum(map(len, found)) - num_distinct, sum(map(len, distinct)) - num_distinct)


def find_duplicates(source: Source, workers: int) -> dict[int, int]:
    """Return, for every image that repeats earlier ones, the number of the first of them.

    Only files that share their size, and in a zip their checksum, are read. A file that cannot be
    read counts as no duplicate.

    Args:
        workers: processes. The result does not depend on it.

    Raises:
        ShardsError: a file changed since it was listed, or a process died.
        OSError: the source as a whole failed.
    """
    numbers = _list_candidates(source.entries)
    digests = np.zeros(len(source.entries), dtype=_DIGEST)
    is_read = np.zeros(len(source.entries), dtype=np.bool_)

    log.debug("comparing the bytes of %d files", len(numbers))

    def keep(found: dict[int, bytes]) -> None:
        for number, found_digest in found.items():
            digests[number], is_read[number] = np.void(found_digest), True

    LocalExecutor(workers).run(
        _HashWorker(source.open_reader()),
        _make_tasks(source.entries, numbers),
        on_result=keep,
        on_ticks=_ignore,
    )
    read = np.flatnonzero(is_read)
    _, first, same = np.unique(digests[read], return_index=True, return_inverse=True)
    originals = read[first[same]]
    repeats = originals != read
    return dict(zip(read[repeats].tolist(), originals[repeats].tolist(), strict=True))


@dataclass
class _HashWorker:
    reader: Reader

    def run(self, task: list[_Numbered], tick: Tick) -> dict[int, bytes]:
        digests = {}
        for number, entry in read_ahead(self.reader, task, itemgetter(1)):
            try:
                digests[number] = digest(self.reader.read(entry))
            except ImageRefused:  # the pack will refuse it, with this reason
                continue
            tick()
        return digests

    def close(self) -> None:
        self.reader.close()


def _list_candidates(entries: Entries) -> NDArray[np.int64]:
    """Return the numbers of the images that share size and checksum with another one."""
    _, kind, counts = np.unique(entries.sizes, axis=0, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[kind.reshape(-1)] > 1)


def _make_tasks(entries: Entries, numbers: NDArray[np.int64]) -> Iterator[list[_Numbered]]:
    for start in range(0, len(numbers), _ENTRIES_PER_TASK):
        chosen = numbers[start : start + _ENTRIES_PER_TASK].tolist()
        yield [(number, entries[number]) for number in chosen]


def _ignore(num_ticks: int) -> None:
    """Do nothing."""
