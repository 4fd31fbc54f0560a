"""A shard on disk: a tar with reproducible bytes, and its DALI index.

The index equals the output of NVIDIA's `wds2idx` (v1.2): a line with version and sample count, then
one line for each sample with extension, offset, size and name of its members.
"""

import hashlib
import itertools
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from .._format import ShardInfo
from ..storage import Storage, discard_on_error

KEY_DIGITS = 9
INDEX_VERSION = "v1.2"

_BLOCK = tarfile.BLOCKSIZE
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_WRITE_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample to write."""

    key: int
    """Its number in its split."""
    members: tuple[tuple[str, bytes], ...]
    """(extension, content), in the order they are stored."""


def write_shard(folder: Path, name: str, samples: Iterable[Sample]) -> ShardInfo | None:
    """Write `folder`/`name` and the index beside it as parts; `Storage.publish` renames them.

    The samples are written one by one, so memory does not grow with the shard. Without a sample no
    file is written and None is returned, because readers fail on empty tars.
    """
    stream = iter(samples)
    first = next(stream, None)
    if first is None:
        return None
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    with discard_on_error(path) as part, part.open("wb", _WRITE_BUFFER_BYTES) as file:
        tar = _TarWriter(file)
        for sample in itertools.chain([first], stream):
            tar.add(sample)
        tar.finish()
    index = format_index(tar.index_lines)
    with discard_on_error(path.with_suffix(".idx")) as part:
        part.write_bytes(index)
    return ShardInfo(
        name=name,
        num_samples=len(tar.index_lines),
        num_bytes=tar.num_bytes,
        sha256=tar.hash.hexdigest(),
        index_num_bytes=len(index),
        index_sha256=hashlib.sha256(index).hexdigest(),
    )


def publish_shard(storage: Storage, scratch: Path, shard: ShardInfo) -> None:
    """Give a shard and its index, written as parts in `scratch`, their final names.

    Raises:
        ShardsError, OSError: as `Storage` does.
    """
    storage.publish(scratch, [shard.name, shard.index_name])


def format_index(lines: list[str]) -> bytes:
    """Return the content of an index, given the line of each sample."""
    return "\n".join([f"{INDEX_VERSION} {len(lines)}", *lines, ""]).encode("ascii")


def format_index_entry(name: str, offset: int, num_bytes: int) -> str:
    """Return the four words that describe a member in the line of its sample."""
    return f"{name.partition('.')[2]} {offset} {num_bytes} {name}"


def read_members(path: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Read every member of a tar in order.

    Raises:
        tarfile.TarError: the tar is damaged or cut.
    """
    with tarfile.open(path, "r:") as tar:
        while (info := tar.next()) is not None:
            member = tar.extractfile(info)
            yield info, b"" if member is None else member.read()
            tar.members.clear()  # type: ignore[attr-defined]  # otherwise it keeps every member


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file of a tar, as it was read."""

    info: tarfile.TarInfo
    data: bytes

    @property
    def extension(self) -> str:
        """The part of its name after the first dot."""
        return self.info.name.partition(".")[2]


def group_members(path: Path) -> Iterator[tuple[str, list[Member]]]:
    """Yield key and members of each sample: neighbours with equal names up to the first dot.

    Raises:
        tarfile.TarError: the tar is damaged or cut.
    """
    last = None
    members: list[Member] = []
    for info, data in read_members(path):
        key = info.name.partition(".")[0]
        if last is not None and key != last:
            yield last, members
            members = []
        last = key
        members.append(Member(info=info, data=data))
    if last is not None:
        yield last, members


def format_line(members: list[Member]) -> str:
    """Return the line of an index that describes a sample."""
    return " ".join(
        format_index_entry(member.info.name, member.info.offset_data, member.info.size)
        for member in members
    )


class _TarWriter:
    """Writes a tar, its hash and its index lines in one pass."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.num_bytes = 0
        self.index_lines: list[str] = []

    def add(self, sample: Sample) -> None:
        entries = []
        for extension, data in sample.members:
            name = f"{sample.key:0{KEY_DIGITS}}.{extension}"
            offset = self.num_bytes + _BLOCK
            entries.append(format_index_entry(name, offset, len(data)))
            self._write(_build_header(name, len(data)) + data + bytes(-len(data) % _BLOCK))
        self.index_lines.append(" ".join(entries))

    def finish(self) -> None:
        """Write two zero blocks, then pad to a record, as tar does."""
        self._write(bytes(2 * _BLOCK))
        self._write(bytes(-self.num_bytes % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self.hash.update(data)
        self.num_bytes += len(data)


def _build_header(name: str, num_bytes: int) -> bytes:
    """Return the header that `tarfile` writes for this name and size, several times faster."""
    template, checksum = _get_template()
    own_name, own_size = name.encode("ascii"), b"%011o\0" % num_bytes
    header = bytearray(template)
    header[: len(own_name)] = own_name
    header[_SIZE] = own_size
    header[_CHECKSUM] = b"%06o\0 " % (checksum + sum(own_name) + sum(own_size))
    return bytes(header)


@cache
def _get_template() -> tuple[bytes, int]:
    """Return a header without name, size and checksum, and its checksum."""
    header = bytearray(tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT))
    header[_SIZE] = bytes(_SIZE.stop - _SIZE.start)
    header[_CHECKSUM] = b" " * 8
    return bytes(header), sum(header)
