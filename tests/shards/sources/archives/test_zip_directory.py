"""The directory of a zip, against what `zipfile` says of it."""

import io
import struct
import zipfile
from typing import Any

import pytest

from faceae_shards.sources.archives._zip_directory import read_zip_directory


def make_zip(*names: str, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name * 10)
        archive.comment = comment
    return stream.getvalue()


def list_both(data: bytes) -> tuple[list[Any], list[Any]]:
    ours = [tuple(member) for member in read_zip_directory(io.BytesIO(data))]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        theirs = [
            (
                info.filename,
                info.file_size,
                info.compress_size,
                info.CRC,
                info.compress_type,
                bool(info.flag_bits & 1),
                info.header_offset,
            )
            for info in archive.infolist()
        ]
    return ours, theirs


@pytest.mark.parametrize(
    "data",
    [
        make_zip(),
        make_zip("a.jpg", "folder/", "Zoë/ü.jpg", "a.jpg.b"),
        make_zip("a.jpg", comment=b"x" * 65_535),
        b"#!/bin/sh\n" + make_zip("a.jpg", "b.jpg"),
    ],
    ids=["empty", "names", "long comment", "program before it"],
)
def test_same_as_zipfile(data: bytes) -> None:
    ours, theirs = list_both(data)
    assert ours == theirs


def test_comment_that_looks_like_an_end() -> None:  # at which zipfile gives up
    data = make_zip("a.jpg", comment=b"PK\x05\x06 is how the directory of a zip begins to end")
    assert [member.name for member in read_zip_directory(io.BytesIO(data))] == ["a.jpg"]


def test_more_members_than_two_bytes_count() -> None:
    ours, theirs = list_both(make_zip(*map(str, range(65_536))))
    assert ours == theirs
    assert len(ours) == 65_536


def test_member_whose_sizes_need_eight_bytes() -> None:
    data = bytearray(make_zip("a.jpg"))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    stored, size = struct.unpack_from("<2L", data, start + 20)
    # After another field, which has to be passed over.
    extra = struct.pack("<2H4s2H3Q", 9, 4, b"none", 1, 24, size, stored, 0)
    struct.pack_into("<2L", data, start + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", data, start + 30, len(extra))
    struct.pack_into("<L", data, start + 42, 0xFFFFFFFF)
    struct.pack_into("<L", data, end + 12, end - start + len(extra))
    data[end:end] = extra
    ours, theirs = list_both(bytes(data))
    assert ours == theirs
    assert ours[0][1:3] == (size, stored)


def test_name_that_is_not_in_its_encoding() -> None:
    data = make_zip("ü.jpg").replace("ü".encode(), b"\xff\xfe")
    assert [member.name for member in read_zip_directory(io.BytesIO(data))] == ["\udcff\udcfe.jpg"]


def test_several_parts() -> None:
    data = bytearray(make_zip("a.jpg"))
    struct.pack_into("<H", data, data.index(b"PK\x05\x06") + 4, 1)
    with pytest.raises(zipfile.BadZipFile, match="several parts"):
        list(read_zip_directory(io.BytesIO(data)))


def test_every_shortened_directory_is_damaged() -> None:
    data = make_zip("a.jpg", "b.jpg")
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    for cut in range(start + 1, end):
        with pytest.raises(zipfile.BadZipFile):
            list(read_zip_directory(io.BytesIO(data[:cut] + data[end:])))
    for cut in range(1, 22):
        with pytest.raises(zipfile.BadZipFile, match="end is missing"):
            list(read_zip_directory(io.BytesIO(data[:-cut])))


def make_zip64() -> bytearray:
    """A zip with the end record for large archives, before the usual one."""
    data = bytearray(make_zip("a.jpg"))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, end - start, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    struct.pack_into("<L", data, end + 16, 0xFFFFFFFF)
    data[end:end] = large + locator
    return data


def test_end_record_for_large_archives() -> None:
    ours, theirs = list_both(bytes(make_zip64()))
    assert ours == theirs
    assert [member[0] for member in ours] == ["a.jpg"]


@pytest.mark.parametrize(
    ("signature", "offset", "changed", "message"),
    [
        (b"PK\x06\x07", 16, b"\2", "several parts"),
        (b"PK\x06\x06", 0, b"xx", "end for large archives is damaged"),
        (b"PK\x06\x07", 0, b"xx", "outside of it"),
    ],
)
def test_damaged_end_record_for_large_archives(
    signature: bytes, offset: int, changed: bytes, message: str
) -> None:
    data = make_zip64()
    place = data.index(signature) + offset
    data[place : place + len(changed)] = changed
    with pytest.raises(zipfile.BadZipFile, match=message):
        list(read_zip_directory(io.BytesIO(data)))


@pytest.mark.parametrize("before", [b"", b"PK\x06\x07" + bytes(12) + b"\1\0\0\0"])
def test_end_that_promises_a_record_which_is_not_there(before: bytes) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0xFFFFFFFF, 0)
    with pytest.raises(zipfile.BadZipFile, match="end is damaged" if before else "outside of it"):
        list(read_zip_directory(io.BytesIO(before + end)))


def test_large_member_without_its_size() -> None:
    data = bytearray(make_zip("a.jpg"))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    extra = struct.pack("<2H4s", 1, 4, b"size")
    struct.pack_into("<L", data, start + 24, 0xFFFFFFFF)
    struct.pack_into("<H", data, start + 30, len(extra))
    struct.pack_into("<L", data, end + 12, end - start + len(extra))
    data[end:end] = extra
    with pytest.raises(zipfile.BadZipFile, match="lacks the size"):
        list(read_zip_directory(io.BytesIO(data)))
