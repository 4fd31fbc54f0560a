"""PNGs with large or damaged chunks beside their pixels."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from faceae_shards import ImageRefused, decode_image
from faceae_shards.images._decode import decode

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]

LARGE = zlib.compress(bytes(5 << 20))
EXIF_6 = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
XMP_6 = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation='6'/>".replace(b"'", b'"')


def make_chunk(kind: bytes, body: bytes, *, is_sound: bool = True) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (not is_sound)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def insert(data: bytes, chunk: bytes) -> bytes:
    """Insert a chunk after the header."""
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize(
    "chunk",
    [
        make_chunk(b"zTXt", b"a\0\0" + LARGE),
        make_chunk(b"iTXt", b"a\0\1\0\0\0" + LARGE),
        make_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
        make_chunk(b"tEXt", b"a\0" + b"x" * (3 << 20)),
        make_chunk(b"tEXt", b"a\0" + b"x" * 60_000) * 1200,
        make_chunk(b"tEXt", b"a\0b", is_sound=False),
        make_chunk(b"eXIf", EXIF_6, is_sound=False),
        make_chunk(b"eXIf", b"junk"),
        make_chunk(b"pHYs", b"cut"),
        make_chunk(b"gAMA", b""),
        make_chunk(b"cHRM", b"cut"),
        make_chunk(b"prVt", b"private"),
    ],
    ids=lambda chunk: f"{chunk[4:8].decode()}-{len(chunk)}",
)
def test_chunks_that_do_not_change_the_picture(
    picture: Picture, encode: Encode, chunk: bytes
) -> None:
    limits = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    assert np.array_equal(decode_image(insert(encode(picture, "PNG"), chunk)), picture)
    assert limits == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


@pytest.mark.parametrize("body", [b"a\0\0" + LARGE, b"a\0\0zzz", b"a"])
def test_unusable_profile_is_reported(picture: Picture, encode: Encode, body: bytes) -> None:
    decoded = decode(insert(encode(picture, "PNG"), make_chunk(b"iCCP", body)))
    assert np.array_equal(decoded.image_HWC, picture)
    assert decoded.is_profile_ignored


@pytest.mark.parametrize("chunk", [make_chunk(b"eXIf", EXIF_6), make_chunk(b"iTXt", XMP_6)])
def test_orientation_is_kept(picture: Picture, encode: Encode, chunk: bytes) -> None:
    decoded = decode_image(insert(encode(picture, "PNG"), chunk))
    assert np.array_equal(decoded, np.rot90(picture, -1))


def test_file_without_its_end_chunk(picture: Picture, encode: Encode) -> None:
    assert np.array_equal(decode_image(encode(picture, "PNG")[:-12]), picture)


def test_animation_is_still_seen(picture: Picture, encode: Encode) -> None:
    others = [Image.fromarray(255 - picture)]
    data = encode(picture, "PNG", save_all=True, append_images=others)
    with pytest.raises(ImageRefused, match="animated"):
        decode_image(insert(data, make_chunk(b"zTXt", b"a\0\0" + LARGE)))
