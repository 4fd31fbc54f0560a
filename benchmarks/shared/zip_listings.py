"""The ways to list a zip that `benchmarks.zip_directory` compares.

Each `prepare_…` does its imports and returns the work, which returns the number of members, the
CPU time and the growth of the peak memory.
"""

import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Member = tuple[str, int, int, tuple[int, ...]]
"""Name, size, checksum and place of a member."""
Work = Callable[[], dict[str, float]]


def prepare_faceae(path: str) -> Work:
    """Parse the directory as `faceae shard` does."""
    from faceae_shards.sources import read_zip_directory

    def list_members() -> Iterator[Member]:
        with Path(path).open("rb") as file:
            for m in read_zip_directory(file):
                yield m.name, m.num_bytes, m.crc, (m.offset, m.num_stored, m.method, m.is_encrypted)

    return lambda: measure(list_members())


def prepare_zipfile(path: str) -> Work:
    """Let `zipfile` parse the directory."""

    def list_members() -> Iterator[Member]:
        with zipfile.ZipFile(path) as archive:
            for i in archive.infolist():
                place = (i.header_offset, i.compress_size, i.compress_type, i.flag_bits & 1)
                yield i.filename, i.file_size, i.CRC, place

    return lambda: measure(list_members())


def measure(members: Iterable[Member]) -> dict[str, float]:
    """Collect members in the columns of a source; return their number, time and memory."""
    from faceae_shards.sources import Entries, Entry

    before, start = read_peak_mib(), time.process_time()
    entries = Entries(Entry(name, size, crc, None, place) for name, size, crc, place in members)
    return {
        "num_members": len(entries),
        "cpu_s": time.process_time() - start,
        "peak_mib": read_peak_mib() - before,
    }


def read_peak_mib() -> float:
    """Return the largest resident size of this process so far, as Linux reports it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 2**10
