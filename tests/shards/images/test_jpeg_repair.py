"""JPEGs that hold all their pixels, but break the standard around them."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from faceae_shards import ImageRefused, decode_image
from faceae_shards.images import check_stored, encode_for_shard
from faceae_shards.images._decode import check_plain_jpeg, decode

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]

DQT, SOF, DHT, SOS, EOI = b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"\xff\xd9"


def insert(data: bytes, marker: bytes, surplus: bytes, number: int = 0) -> bytes:
    """Insert bytes before a marker, counted from 0."""
    place = data.index(marker)
    for _ in range(number):
        place = data.index(marker, place + 1)
    return data[:place] + surplus + data[place:]


def set_scan(data: bytes, parameters: bytes) -> bytes:
    """Replace spectral selection and approximation of the first scan."""
    place = data.index(SOS)
    end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
    return data[: end - 3] + parameters + data[end:]


def check_repaired(data: bytes, expected: Picture) -> None:
    """Check that a file is packed with the pixels that it holds, readable for every decoder."""
    assert check_plain_jpeg(data) is None
    encoded = encode_for_shard(data, crop=None, size=None, encoding="jpg")
    assert encoded.repaired
    assert not encoded.converted
    assert check_stored(encoded.data, "jpg") == expected.shape[:2]
    assert np.array_equal(simplejpeg.decode_jpeg(encoded.data), expected)
    by_opencv = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(by_opencv[:, :, ::-1].astype(int) - expected).max() <= 3
    assert not decode(encoded.data).is_repaired
    with pytest.raises(ImageRefused, match="not plain"):
        check_stored(data, "jpg")


@pytest.mark.parametrize("marker", [b"\xff\xe0", DQT, SOF, DHT, SOS])
@pytest.mark.parametrize("surplus", [b"\0", b"\0\0\0\0", b"abc", b"\n" * 300, b"\xff\xd8"])
def test_stray_bytes_in_the_header(
    picture: Picture, encode: Encode, marker: bytes, surplus: bytes
) -> None:
    data = encode(picture)
    check_repaired(insert(data, marker, surplus), decode_image(data))


@pytest.mark.parametrize("number", [1, 3])
def test_stray_bytes_between_scans(picture: Picture, encode: Encode, number: int) -> None:
    data = encode(picture, progressive=True)
    damaged = insert(insert(data, SOS, b"abc", number), SOS, b"xy" * 9, number + 2)
    check_repaired(damaged, decode_image(data))


@pytest.mark.parametrize("parameters", [b"\0\0\0", b"\0\x3f\x01", b"\x01\x3f\0", b"\xff\xff\xff"])
def test_scan_parameters_of_the_wrong_kind(
    picture: Picture, encode: Encode, parameters: bytes
) -> None:
    data = encode(picture)
    check_repaired(set_scan(data, parameters), decode_image(data))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("missing", [1, 2])
def test_lost_end_marker(
    picture: Picture, encode: Encode, options: dict[str, object], missing: int
) -> None:
    data = encode(picture, **options)
    check_repaired(data[:-missing], decode_image(data))


def test_unknown_version_of_jfif(picture: Picture, encode: Encode) -> None:
    data = encode(picture)
    check_repaired(data.replace(b"JFIF\0\x01", b"JFIF\0\x02"), decode_image(data))


def test_several_faults(picture: Picture, encode: Encode) -> None:
    data = encode(picture)
    damaged = insert(set_scan(data, b"\0\0\0"), DHT, b"\0\0")[:-2]
    check_repaired(damaged, decode_image(data))


def test_repaired_picture_is_turned(picture: Picture, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture, exif=exif)
    encoded = encode_for_shard(insert(data, DQT, b"\0"), crop=None, size=16, encoding="jpg")
    assert encoded.repaired
    assert encoded.converted
    decoded = decode(insert(data, DQT, b"\0"))
    assert decoded.plain is None
    assert np.array_equal(decoded.image_HWC, decode_image(data))


@pytest.mark.parametrize("fault", [b"\0\0\0", b"\xff\xff\xff"])
@pytest.mark.parametrize("end", [b"", EOI])
def test_repairable_fault_does_not_hide_missing_pixels(
    picture: Picture, encode: Encode, fault: bytes, end: bytes
) -> None:
    data = set_scan(encode(picture), fault)
    with pytest.raises(ImageRefused) as caught:
        decode_image(data[: len(data) * 9 // 10] + end)
    assert caught.value.reason in ("truncated", "corrupt")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("keep", [0.5, 0.8, 0.97])
def test_cut_pixels_are_not_repaired(
    picture: Picture, encode: Encode, options: dict[str, object], keep: float
) -> None:
    data = encode(picture, **options)
    with pytest.raises(ImageRefused):
        decode_image(data[: int(len(data) * keep)])


def test_progressive_jpeg_without_its_last_scan(picture: Picture, encode: Encode) -> None:
    data = encode(picture, progressive=True)
    with pytest.raises(ImageRefused) as caught:
        decode_image(data[: data.rindex(SOS)])
    assert caught.value.reason == "truncated"


def test_lost_restart_interval_is_refused(picture: Picture, encode: Encode) -> None:
    data = encode(picture, restart_marker_blocks=2)
    start, stop = data.index(b"\xff\xd1"), data.index(b"\xff\xd2")
    with pytest.raises(ImageRefused) as caught:
        decode_image(data[:start] + data[stop:])
    assert caught.value.reason == "corrupt"
