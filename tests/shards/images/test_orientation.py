"""EXIF orientation: read as Pillow and OpenCV read it, also from damaged metadata."""

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from faceae_shards import decode_image
from faceae_shards.images._decode import check_loadable_jpeg, check_plain_jpeg, decode

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]

Entry = tuple[int, int, int, bytes]
ORIENTATION: Entry = (0x0112, 3, 1, b"\6\0\0\0")


def write_exif(*entries: Entry, end: bytes = bytes(4)) -> bytes:
    """Write a little-endian EXIF block: tag, type, count and value of each entry."""
    table = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + end


DAMAGED = {
    "no next table": write_exif(ORIENTATION, end=b""),
    "a value outside of the block": write_exif((0x010F, 2, 4000, b"\x60\xea\0\0"), ORIENTATION),
    "an offset beyond the file": write_exif(ORIENTATION, (0x8769, 4, 1, b"\xff\xff\xff\x7f")),
    "an unknown type": write_exif((0x0110, 99, 1, b"abcd"), ORIENTATION),
    "a huge count": write_exif((0x0110, 2, 0xFFFFFFF0, b"\x10\0\0\0"), ORIENTATION),
    "an empty maker note": write_exif(ORIENTATION, (0x927C, 7, 0, bytes(4))),
    "a table that ends early": write_exif(ORIENTATION)[:-4].replace(b"\1\0", b"\3\0", 1),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_beside_damaged_tags(
    picture: Picture, encode: Encode, file_format: str, damage: str
) -> None:
    decoded = decode(encode(picture, file_format, exif=DAMAGED[damage]))
    expected = decode_image(encode(picture, file_format))
    assert np.array_equal(decoded.image_HWC, np.rot90(expected, -1))
    assert decoded.plain is None


@pytest.mark.parametrize("value", [1, 0, 9, 65_535])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_values_that_say_nothing(
    picture: Picture, encode: Encode, file_format: str, value: int
) -> None:
    exif = write_exif((0x0112, 3, 1, struct.pack("<HH", value, 0)))
    decoded = decode_image(encode(picture, file_format, exif=exif))
    assert np.array_equal(decoded, decode_image(encode(picture, file_format)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_as_pillow_reads_it(
    picture: Picture, encode: Encode, file_format: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture, file_format, exif=exif)
    image = decode_image(data)
    with Image.open(io.BytesIO(data)) as opened:
        upright = np.array(ImageOps.exif_transpose(opened).convert("RGB"))
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= 4
    if file_format != "AVIF":  # OpenCV does not turn these
        by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        assert np.abs(image.astype(int) - by_opencv).mean() < 4


def test_first_of_two_blocks_counts(picture: Picture, encode: Encode) -> None:
    data = encode(picture, exif=write_exif(ORIENTATION))
    second = write_exif((0x0112, 3, 1, b"\3\0\0\0"))
    start = data.index(b"\xff\xe1")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
    data = data[:end] + b"\xff\xe1" + struct.pack(">H", len(second) + 2) + second + data[end:]
    assert np.array_equal(decode_image(data), np.rot90(decode_image(encode(picture)), -1))


def test_phone_jpeg_with_a_preview_is_turned(picture: Picture, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    others = [Image.fromarray(picture[:16, :16])]
    data = encode(picture, "MPO", save_all=True, append_images=others, exif=exif.tobytes())
    assert decode_image(data).shape == (40, 48, 3)


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description {}</rdf:RDF>'
    "</x:xmpmeta>"
)
ATTRIBUTE = XMP.format('xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/>')
ELEMENT = XMP.format("><tiff:Orientation>{}</tiff:Orientation></rdf:Description>")


def encode_with_xmp(encode: Encode, picture: Picture, file_format: str, xmp: str) -> bytes:
    if file_format == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp)
        return encode(picture, "PNG", pnginfo=text)
    return encode(picture, file_format, xmp=xmp.encode())


@pytest.mark.parametrize("xmp", [ATTRIBUTE, ELEMENT], ids=["attribute", "element"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_that_stands_only_in_xmp(
    picture: Picture, encode: Encode, file_format: str, orientation: int, xmp: str
) -> None:
    data = encode_with_xmp(encode, picture, file_format, xmp.format(orientation))
    decoded = decode(data)
    with Image.open(io.BytesIO(data)) as opened:
        upright = np.array(ImageOps.exif_transpose(opened).convert("RGB"))
    assert decoded.image_HWC.shape == upright.shape
    assert np.abs(decoded.image_HWC.astype(int) - upright).max() <= 4
    if file_format == "JPEG":
        assert (decoded.plain is not None) == (orientation == 1)
        assert (check_plain_jpeg(data) is not None) == (orientation == 1)


def test_exif_counts_before_xmp(picture: Picture, encode: Encode) -> None:
    upright = decode_image(encode(picture))
    xmp = ATTRIBUTE.format(3).encode()
    turned = encode(picture, exif=write_exif(ORIENTATION), xmp=xmp)
    assert np.array_equal(decode_image(turned), np.rot90(upright, -1))
    silent = encode(picture, exif=write_exif((0x0100, 3, 1, b"\6\0\0\0")), xmp=xmp)
    assert np.array_equal(decode_image(silent), np.rot90(upright, 2))


@pytest.mark.parametrize("value", ["0", "9", "x", ""])
def test_xmp_that_says_nothing_keeps_the_file(picture: Picture, encode: Encode, value: str) -> None:
    data = encode(picture, xmp=ATTRIBUTE.format(value).encode())
    assert decode(data).plain == data
    assert check_plain_jpeg(data) == picture.shape[:2]


def test_shard_of_another_tool_may_hold_xmp(picture: Picture, encode: Encode) -> None:
    """No loader turns a picture by XMP, so its pixels count as they are."""
    data = encode(picture, xmp=ATTRIBUTE.format(6).encode())
    assert check_loadable_jpeg(data) == picture.shape[:2]
