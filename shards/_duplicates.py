"""Images whose files hold the same bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ._decode import ImageRefused
from ._pool import Tick, run_tasks
from ._prefetch import read_ahead
from ._sources import Entry, Reader, Source

DIGEST_BYTES = 16
"""Kept of a sha256: two of a billion images share these by chance with odds of 1 to 10^20."""

_ENTRIES_A_TASK = 1024

_Numbered = tuple[int, Entry]


def digest(data: bytes) -> bytes:
    """Return what is equal for equal files."""
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


def count_repeats(digests: Iterable[bytes]) -> int:
    """Return how many digests had been there before."""
    found = np.frombuffer(b"".join(digests), dtype=f"V{DIGEST_BYTES}")
    return len(found) - len(np.unique(found))


def find_duplicates(source: Source, workers: int) -> dict[int, int]:
    """Return for every image that repeats an earlier one the number of the first of its kind.

    Only files that share their size, and in a zip their checksum, are read. Files that cannot be
    read are nobody's duplicates.

    Args:
        workers: processes; the result does not depend on it.

    Raises:
        ShardsError: a file changed since it was listed, or a process died.
        OSError: the source as a whole fails.
    """
    digests: dict[int, bytes] = {}
    tasks = list(_cut(_list_candidates(source)))
    run_tasks(
        _HashWorker(source.open_reader()),
        tasks,
        processes=min(workers, max(len(tasks), 1)),
        on_result=digests.update,
        on_ticks=_ignore,
    )
    first: dict[bytes, int] = {}
    duplicates = {}
    for number in sorted(digests):
        original = first.setdefault(digests[number], number)
        if original != number:
            duplicates[number] = original
    return duplicates


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


def _list_candidates(source: Source) -> Iterator[_Numbered]:
    groups = defaultdict(list)
    for number, entry in enumerate(source.entries):
        groups[entry.num_bytes, entry.crc].append(number)
    numbers = sorted(number for group in groups.values() if len(group) > 1 for number in group)
    return ((number, source.entries[number]) for number in numbers)


def _cut(items: Iterable[_Numbered]) -> Iterator[list[_Numbered]]:
    part: list[_Numbered] = []
    for item in items:
        part.append(item)
        if len(part) == _ENTRIES_A_TASK:
            yield part
            part = []
    if part:
        yield part


def _ignore(num_ticks: int) -> None:
    """Report to nobody."""
