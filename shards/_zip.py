"""Photographs in a zip, read without unpacking it.

Workers read members by the offsets that were listed: the directory of a zip with 200,000 members
takes seconds to read and more than 100 MB to hold, in every process.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ._decode import ImageRefused
from ._errors import ShardsError
from ._sources import Entries, Entry, Source, is_hidden, is_image_name, is_other_name

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, then lengths of name and extra field (PKWARE's APPNOTE, 4.3.7)."""
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


def list_zip(path: Path) -> Source:
    """List the members of a zip.

    Raises:
        ShardsError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ShardsError(f"{path} is a damaged zip ({error}); get it again") from error
    found = Entries(
        _make_entry(info)
        for info in members
        if not info.is_dir() and not any(map(is_hidden, info.filename.split("/")))
    ).sorted()
    return Source(
        kind="zip",
        path=path,
        entries=found.select(is_image_name),
        others=found.select(is_other_name),
        open_reader=lambda: ZipReader(path),
    )


def _make_entry(info: zipfile.ZipInfo) -> Entry:
    encrypted = info.flag_bits & _ENCRYPTED
    place = (info.header_offset, info.compress_size, info.compress_type, encrypted)
    return Entry(info.filename, info.file_size, info.CRC, None, place)


@dataclass
class ZipReader:
    """Reads members of a zip."""

    path: Path
    _file: BinaryIO | None = None

    def read(self, entry: Entry) -> bytes:
        """Return a member's bytes, its CRC checked; see `Reader`."""
        offset, num_stored, method, encrypted = entry.place
        if encrypted:
            raise ImageRefused("unreadable", "in the zip: it needs a password")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ImageRefused("unreadable", f"in the zip: compression method {method}")
        data = self._read_stored(offset, num_stored)
        assert entry.num_bytes is not None
        if method == zipfile.ZIP_DEFLATED:
            data = _inflate(data, entry.num_bytes)
        if len(data) != entry.num_bytes or zlib.crc32(data) != entry.crc:
            raise ImageRefused("unreadable", "in the zip: Bad CRC")
        return data

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return nothing: a member says no more than its name."""
        return {}

    def close(self) -> None:
        """Close the zip."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_stored(self, offset: int, num_bytes: int) -> bytes:
        if self._file is None:
            self._file = self.path.open("rb")
        self._file.seek(offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_SIGNATURE):
            raise ImageRefused("unreadable", "in the zip: its header is damaged")
        _, num_name, num_extra = _LOCAL_HEADER.unpack(header)
        self._file.seek(num_name + num_extra, 1)
        return self._file.read(num_bytes)


def _inflate(data: bytes, num_bytes: int) -> bytes:
    """Undo deflate, never to more than the announced size and one byte."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, num_bytes + 1)
    except zlib.error as error:
        raise ImageRefused("unreadable", f"in the zip: {error}") from error
