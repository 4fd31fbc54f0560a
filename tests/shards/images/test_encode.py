"""Geometry and encoding of what a shard stores."""

from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from faceae_shards import ImageRefused, ShardsError, fit_image
from faceae_shards.images import _decode
from faceae_shards.images._decode import decode
from faceae_shards.images._encode import NPY_HEADER_BYTES, check_stored, encode_for_shard
from faceae_shards.images._scale import scale_image

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]


def count_up(height: int, width: int) -> Picture:
    """Every pixel tells its row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows], axis=2).astype(np.uint8)


@pytest.mark.parametrize(("height", "width", "corner"), [(9, 5, (2, 0)), (4, 9, (0, 2))])
def test_crop_keeps_the_centre(height: int, width: int, corner: tuple[int, int]) -> None:
    side = min(height, width)
    image = fit_image(count_up(height, width), crop=side)
    assert image.shape == (side, side, 3)
    assert tuple(image[0, 0, :2]) == corner


def test_size_scales_the_shorter_side_and_keeps_the_centre() -> None:
    source = count_up(218, 178)
    image = fit_image(source, size=64)
    assert np.array_equal(image, scale_image(source, 64, 78)[7:71])


def test_crop_comes_before_size() -> None:
    source = count_up(250, 250)
    assert np.array_equal(
        fit_image(source, crop=144, size=64), fit_image(fit_image(source, crop=144), size=64)
    )


def test_scaling_down_averages() -> None:
    checkers = np.indices((128, 128)).sum(axis=0) % 2 * 255
    image = fit_image(np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8), size=16)
    assert np.abs(image.astype(int) - 127).max() <= 2


def test_result_can_be_written_to_and_is_contiguous(picture: Picture) -> None:
    image = fit_image(picture, crop=32, size=16)
    image[0, 0, 0] = 1
    assert image.flags.c_contiguous


def test_crop_larger_than_the_image(picture: Picture) -> None:
    with pytest.raises(ShardsError, match="40x48 pixels are less than the crop of 41"):
        fit_image(picture, crop=41)


def test_plain_jpeg_keeps_its_bytes(picture: Picture, encode: Encode) -> None:
    data = encode(picture)
    encoded = encode_for_shard(data, crop=None, size=None, encoding="jpg")
    assert encoded.data == data
    assert (encoded.height, encoded.width, encoded.converted) == (48, 40, False)


def test_converted_jpeg_is_of_high_quality(picture: Picture, encode: Encode) -> None:
    encoded = encode_for_shard(encode(picture, "PNG"), crop=None, size=None, encoding="jpg")
    assert encoded.converted
    assert simplejpeg.decode_jpeg_header(encoded.data) == (48, 40, "YCbCr", "444")
    assert np.abs(simplejpeg.decode_jpeg(encoded.data).astype(int) - picture).mean() < 1.5


@pytest.mark.parametrize(("crop", "size"), [(41, None), (None, 41), (44, 16)])
def test_nothing_is_enlarged(
    picture: Picture, encode: Encode, crop: int | None, size: int | None
) -> None:
    with pytest.raises(ImageRefused, match=r"too small: 40x48 pixels, \d+ are asked for"):
        encode_for_shard(encode(picture), crop=crop, size=size, encoding="jpg")


@pytest.mark.parametrize("size", [16, 32])
def test_huge_jpeg_is_decoded_at_a_smaller_scale(
    encode: Encode, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(coarse).resize((304, 408), Image.Resampling.BICUBIC))
    data = encode(picture, quality=95)
    options = {"crop": None, "size": size, "encoding": "npy"}
    full = np.frombuffer(encode_for_shard(data, **options).data[NPY_HEADER_BYTES:], np.uint8)
    monkeypatch.setattr(_decode, "_HUGE_PIXELS", 1000)
    assert decode(data, min_side=2 * size).image_HWC.shape[1] < 304
    scaled = np.frombuffer(encode_for_shard(data, **options).data[NPY_HEADER_BYTES:], np.uint8)
    assert np.abs(scaled.astype(int) - full).mean() < 2


def test_side_that_no_jpeg_can_have(encode: Encode) -> None:
    data = encode(np.zeros((16, 65_501, 3), np.uint8), "PNG")
    with pytest.raises(ImageRefused, match="65501x16") as caught:
        encode_for_shard(data, crop=None, size=None, encoding="jpg")
    assert caught.value.reason == "too large"
    assert encode_for_shard(data, crop=16, size=None, encoding="jpg").width == 16


def test_npy_is_128_bytes_and_the_pixels(picture: Picture, encode: Encode) -> None:
    encoded = encode_for_shard(encode(picture, "PNG"), crop=None, size=16, encoding="npy")
    pixels = np.frombuffer(encoded.data, np.uint8, offset=NPY_HEADER_BYTES).reshape(16, 16, 3)
    assert np.array_equal(pixels, fit_image(picture, size=16))
    assert check_stored(encoded.data, "npy") == (16, 16)


def overwrite(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    assert len(old) == len(new)
    return lambda data: data.replace(old, new, 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d[:-1],
        lambda d: d + b"x",
        lambda d: b"x" + d,
        lambda d: d[:20] + b"\xff" * 50 + d[70:],
        overwrite(b"(16, 16, 3)", b"(9**9, 9,3)"),
        overwrite(b"(16, 16, 3), }", b"(9999999999999"),
    ],
)
def test_damaged_npy_is_found(
    picture: Picture, encode: Encode, damage: Callable[[bytes], bytes]
) -> None:
    encoded = encode_for_shard(encode(picture), crop=None, size=16, encoding="npy")
    with pytest.raises(ImageRefused):
        check_stored(damage(encoded.data), "npy")


def test_stored_jpeg_must_be_plain(picture: Picture, encode: Encode) -> None:
    with pytest.raises(ImageRefused, match="not plain"):
        check_stored(encode(picture[:, :, 0]), "jpg")
