"""Photographs in a zip, read without unpacking it.

Workers read members by the offsets that were listed, and never the directory.
"""

import bz2
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from ..._errors import ShardsError
from ...images import ImageRefused
from ...storage import Location
from .._source import (
    Container,
    Entries,
    Entry,
    Source,
    clean_member_name,
    is_image_name,
    is_other_name,
)
from ..files import SourceFiles, Span, check_unchanged, describe_container, open_beside
from ._zip_directory import read_zip_directory

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}
"""Compression methods by their numbers (PKWARE's APPNOTE, 4.4.5)."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, then lengths of name and extra field (PKWARE's APPNOTE, 4.3.7)."""
_SIGNATURE = b"PK\x03\x04"
_USUAL_EXTRA_BYTES = 64
"""Of a local header; one that is longer costs a second read."""


def list_zip(location: Location) -> Source:
    """List the members of a zip.

    Raises:
        ShardsError: it is damaged.
    """
    files, name = open_beside(location)
    with closing(files):
        listed = describe_container(files, name)
        try:
            with files.open(name) as file:
                found = Entries(_list_members(file)).sorted()
        except zipfile.BadZipFile as error:
            raise ShardsError(f"{location} is a damaged zip ({error}); get it again") from error
    entries = found.select(is_image_name)
    _check_methods(location, entries)
    return Source(
        kind="zip",
        path=location,
        entries=entries,
        others=found.select(is_other_name),
        open_reader=lambda: ZipReader(*open_beside(location), listed),
    )


def _check_methods(location: Location, entries: Entries) -> None:
    """Refuse a zip whose images are all compressed by what cannot be undone here."""
    methods = {entry.place[2] for entry in entries}
    if methods and methods.isdisjoint(_READABLE):
        names = " and ".join(map(_name, sorted(methods)))
        raise ShardsError(
            f"{location} is compressed by {names}, which cannot be read here; unpack it with "
            "7-Zip or `unzip`, and give the folder"
        )


def _list_members(file: BinaryIO) -> Iterator[Entry]:
    for member in read_zip_directory(file):
        name = member.name
        if "/" not in name:  # some programs on Windows write their own separator
            name = name.replace("\\", "/")
        cleaned = None if name.endswith("/") else clean_member_name(name)
        if cleaned:
            place = (member.offset, member.num_stored, member.method, int(member.is_encrypted))
            yield Entry(cleaned, member.num_bytes, member.crc, None, place)


@dataclass
class ZipReader:
    """Reads members of a zip."""

    files: SourceFiles
    name: str
    listed: Container
    """As it was."""
    _checked: bool = False

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Fetch members; see `Reader`."""
        self.files.fetch(map(self._locate, entries))

    def read(self, entry: Entry) -> bytes:
        """Return a member's bytes, its CRC checked; see `Reader`."""
        _, num_stored, method, encrypted = entry.place
        if encrypted:
            raise ImageRefused("unreadable", "in the zip: it needs a password; unpack it")
        if method not in _READABLE:
            raise ImageRefused("unreadable", f"in the zip: it is compressed by {_name(method)}")
        data = self._read_stored(entry, num_stored)
        assert entry.num_bytes is not None
        if method == zipfile.ZIP_DEFLATED:
            data = _inflate(data, entry.num_bytes)
        elif method == zipfile.ZIP_BZIP2:
            data = _unpack_bzip2(data, entry.num_bytes)
        if len(data) != entry.num_bytes or zlib.crc32(data) != entry.crc:
            raise ImageRefused("unreadable", "in the zip: Bad CRC")
        return data

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return nothing: a member says no more than its name."""
        return {}

    def close(self) -> None:
        """Close the zip."""
        self.files.close()

    def _locate(self, entry: Entry) -> Span:
        """Return the span of a member with its local header, whose exact length is not listed."""
        start, num_stored = entry.place[:2]
        num_name = len(entry.name.encode("utf-8", "surrogateescape"))
        stop = start + _LOCAL_HEADER.size + num_name + _USUAL_EXTRA_BYTES + num_stored
        return Span(self.name, start, stop)

    def _read_stored(self, entry: Entry, num_bytes: int) -> bytes:
        if not self._checked:
            check_unchanged(self.files, self.name, self.listed)
            self._checked = True
        span = self._locate(entry)
        data = self.files.read(span)
        if len(data) < _LOCAL_HEADER.size or not data.startswith(_SIGNATURE):
            raise ImageRefused("unreadable", "in the zip: its header is damaged")
        _, num_name, num_extra = _LOCAL_HEADER.unpack_from(data)
        start = _LOCAL_HEADER.size + num_name + num_extra
        stop = start + num_bytes
        if span.start + stop > span.stop:
            return self.files.read(Span(self.name, span.start + start, span.start + stop))
        return data[start:stop]


def _name(method: int) -> str:
    return _METHODS.get(method, f"method {method}")


def _unpack_bzip2(data: bytes, num_bytes: int) -> bytes:
    """Undo bzip2, never to more than the announced size and one byte."""
    try:
        return bz2.BZ2Decompressor().decompress(data, num_bytes + 1)
    except (OSError, EOFError) as error:
        raise ImageRefused("unreadable", f"in the zip: {error}") from error


def _inflate(data: bytes, num_bytes: int) -> bytes:
    """Undo deflate, never to more than the announced size and one byte."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, num_bytes + 1)
    except zlib.error as error:
        raise ImageRefused("unreadable", f"in the zip: {error}") from error
