"""Which image files are taken, as what pixels, and why the others are refused."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faceae_shards import ImageRefused, decode_image
from faceae_shards.images._decode import check_plain_jpeg, decode

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]


def take(data: bytes) -> tuple[Picture, bool]:
    """Return the pixels, and whether a shard may store the very bytes."""
    decoded = decode(data)
    return decoded.image_HWC, decoded.plain == data


def refusal(data: bytes) -> ImageRefused:
    with pytest.raises(ImageRefused) as caught:
        decode_image(data)
    return caught.value


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_plain_jpeg_is_decoded_as_pillow_does_and_kept(
    picture: Picture, encode: Encode, options: dict[str, object]
) -> None:
    data = encode(picture, **options)
    image, plain = take(data)
    assert plain
    assert image.shape == picture.shape
    assert np.abs(image.astype(int) - picture).mean() < 3


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_cut_jpeg(picture: Picture, encode: Encode, progressive: bool, keep: float) -> None:
    data = encode(picture, progressive=progressive)
    assert refusal(data[: int(len(data) * keep)]).reason in ("truncated", "corrupt")


def test_cut_jpeg_with_an_end_marker(picture: Picture, encode: Encode) -> None:
    data = encode(picture)
    assert refusal(data[: len(data) * 3 // 4] + b"\xff\xd9").reason == "corrupt"


@pytest.mark.parametrize("junk", [b"abc", b"abc" * 40])
def test_jpeg_with_junk_before_its_end_is_kept(
    picture: Picture, encode: Encode, junk: bytes
) -> None:
    data = encode(picture)
    image, plain = take(data[:-2] + junk + data[-2:])
    assert plain
    assert np.array_equal(image, decode_image(data))


def test_jpeg_with_bytes_after_its_end_is_kept(picture: Picture, encode: Encode) -> None:
    image, plain = take(encode(picture) + bytes(1000))
    assert plain
    assert image.shape == picture.shape


def test_every_cut_of_the_header_is_refused(picture: Picture, encode: Encode) -> None:
    data = encode(picture)
    for length in range(2, data.index(b"\xff\xda") + 10):
        assert refusal(data[:length]).reason in ("truncated", "corrupt")


def test_grey_jpeg_becomes_rgb(picture: Picture, encode: Encode) -> None:
    image, plain = take(encode(picture[:, :, 0]))
    assert not plain
    assert image.shape == picture.shape
    assert np.array_equal(image[:, :, 0], image[:, :, 2])


def test_cmyk_jpeg_becomes_rgb(picture: Picture, encode: Encode) -> None:
    image, plain = take(encode(Image.fromarray(picture).convert("CMYK")))
    assert not plain
    assert np.abs(image.astype(int) - picture).mean() < 4


def test_jpeg_stored_as_rgb_is_converted(picture: Picture, encode: Encode) -> None:
    image, plain = take(encode(picture, keep_rgb=True))
    assert not plain
    assert np.abs(image.astype(int) - picture).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(picture: Picture, encode: Encode, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture, exif=exif)
    image, plain = take(data)
    assert plain == (orientation == 1)
    pillow = Image.fromarray(simplejpeg.decode_jpeg(data))
    pillow.info["exif"] = exif.tobytes()
    assert np.array_equal(image, np.array(ImageOps.exif_transpose(pillow)))


def test_damaged_exif_is_dropped_with_the_old_bytes(picture: Picture, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture, exif=exif).replace(b"Exif\0\0MM\0*", b"Exif\0\0MX\0*")
    data = data.replace(b"Exif\0\0II*\0", b"Exif\0\0IX*\0")
    image, plain = take(data)
    assert not plain
    assert image.shape == picture.shape


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_formats_become_rgb(picture: Picture, encode: Encode, file_format: str) -> None:
    image, plain = take(encode(picture, file_format))
    assert not plain
    assert image.shape == picture.shape
    assert np.abs(image.astype(int) - picture).mean() < 8


def test_png_is_told_by_content_not_by_name(picture: Picture, encode: Encode) -> None:
    assert np.array_equal(decode_image(encode(picture, "PNG")), picture)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(picture: Picture, encode: Encode, mode: str) -> None:
    image = Image.fromarray(picture).convert(mode)
    image.putalpha(Image.fromarray(np.indices((48, 40))[0].astype(np.uint8) // 24 * 255))
    decoded = decode_image(encode(image, "PNG"))
    assert decoded[:24].min() == 255
    assert decoded[24:].min() < 255


def test_transparent_palette_entry_becomes_white(encode: Encode) -> None:
    image = Image.fromarray(np.indices((20, 20))[1].astype(np.uint8) // 10, "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    decoded = decode_image(encode(image, "PNG", transparency=1))
    assert (decoded[:, :10] == (10, 20, 30)).all()
    assert (decoded[:, 10:] == 255).all()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_of_zero_everywhere_is_ignored(
    picture: Picture, encode: Encode, file_format: str, mode: str
) -> None:
    if (mode, file_format) == ("LA", "BMP"):
        return
    image = Image.fromarray(picture).convert(mode)
    expected = np.array(image.convert("RGB"))
    image.putalpha(0)
    assert np.array_equal(decode_image(encode(image, file_format)), expected)


def test_png_with_orientation_is_turned(picture: Picture, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decode_image(encode(picture, "PNG", exif=exif))
    assert np.array_equal(image, np.rot90(picture, -1))


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames(picture: Picture, encode: Encode, file_format: str) -> None:
    others = [Image.fromarray(255 - picture)]
    data = encode(picture, file_format, save_all=True, append_images=others)
    assert refusal(data).reason == "animated"


def test_phone_jpeg_with_a_hidden_preview_is_kept(picture: Picture, encode: Encode) -> None:
    others = [Image.fromarray(picture[:16, :16])]
    image, plain = take(encode(picture, "MPO", save_all=True, append_images=others))
    assert plain
    assert image.shape == picture.shape


def test_empty_file() -> None:
    assert refusal(b"").reason == "empty"


@pytest.mark.parametrize("start", [b"<!DOCTYPE html>", b"\n <html lang=en>"])
def test_html_page_is_named_as_such(start: bytes) -> None:
    error = refusal(start + b"<title>Quota exceeded</title>")
    assert error.reason == "not an image"
    assert "HTML" in str(error)


@pytest.mark.parametrize("data", [b"hello", bytes(5000), b"\xff\xd8\xff", b"\xff\xd8" + bytes(99)])
def test_other_content(data: bytes) -> None:
    assert refusal(data).reason in ("not an image", "truncated")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("sides", [(1, 1), (15, 40)])
def test_too_few_pixels(encode: Encode, file_format: str, sides: tuple[int, int]) -> None:
    image = np.zeros((*sides, 3), np.uint8)
    assert refusal(encode(image, file_format)).reason == "too small"


def test_jpeg_bomb_is_refused_by_its_header(picture: Picture, encode: Encode) -> None:
    data = bytearray(encode(picture))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    assert refusal(bytes(data)).reason == "too large"


@pytest.mark.parametrize(("side", "reason"), [(14_000, "truncated"), (60_000, "too large")])
def test_png_bomb_is_refused_by_its_header(encode: Encode, side: int, reason: str) -> None:
    data = bytearray(encode(np.zeros((16, 16, 3), np.uint8), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    assert refusal(bytes(data)).reason == reason


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_limit_of_pillow_does_not_apply(
    picture: Picture, encode: Encode, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(picture, file_format)
    expected = decode_image(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert np.array_equal(decode_image(data), expected)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_limit_of_pixels_is_an_option(picture: Picture, encode: Encode, file_format: str) -> None:
    data = encode(picture, file_format)
    assert decode_image(data, max_pixels=48 * 40).shape == picture.shape
    with pytest.raises(ImageRefused, match="`max_pixels` allows 1,919") as caught:
        decode_image(data, max_pixels=48 * 40 - 1)
    assert caught.value.reason == "too large"


def test_cut_png(picture: Picture, encode: Encode) -> None:
    data = encode(picture, "PNG")
    assert refusal(data[: len(data) // 2]).reason == "truncated"


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("value", "level"), [(0, 0), (128, 0), (129, 1), (257, 1), (32_896, 128), (65_535, 255)]
)
def test_sixteen_bits_of_grey_are_scaled(
    encode: Encode, file_format: str, value: int, level: int
) -> None:
    image = Image.fromarray(np.full((20, 20), value, np.uint16))
    assert (decode_image(encode(image, file_format)) == level).all()


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_tiff_of_either_byte_order(encode: Encode, order: str) -> None:
    image = Image.fromarray(np.full((20, 20), 40_000, order))
    assert (decode_image(encode(image, "TIFF")) == 156).all()


def test_sixteen_bit_tiff_that_stores_white_as_zero(encode: Encode) -> None:
    image = Image.fromarray(np.full((20, 20), 65_535 - 40_000, np.uint16))
    data = encode(image, "TIFF", tiffinfo={262: 0})
    assert (decode_image(data) == 156).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_of_unknown_range(encode: Encode, dtype: type) -> None:
    image = Image.fromarray(np.full((20, 20), 100, dtype))
    assert refusal(encode(image, "TIFF")).reason == "unsupported"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"%PDF-1.4", "PDF"),
        (b"PK\3\4" + bytes(30), "zip"),
        (b"\0\0\0\x18ftypqt  " + bytes(30), "video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30), "JPEG 2000"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (bytes(2000), "zero bytes"),
    ],
)
def test_other_content_is_named(data: bytes, word: str) -> None:
    error = refusal(data)
    assert error.reason == "not an image"
    assert word in error.detail


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0"])
def test_picture_cut_in_its_header_is_no_other_content(start: bytes) -> None:
    assert refusal(start + b"\1\2").reason in ("truncated", "corrupt")


def test_twelve_bit_jpeg(picture: Picture, encode: Encode) -> None:
    data = bytearray(encode(picture))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert refusal(bytes(data)).reason == "unsupported"


def test_jpeg_of_a_rare_coding_process_is_not_kept_as_it_is(
    picture: Picture, encode: Encode
) -> None:
    data = bytearray(encode(picture))
    data[data.index(b"\xff\xc0") + 1] = 0xC9  # arithmetic coding: the scan is then nonsense
    try:
        _, plain = take(bytes(data))
    except ImageRefused:
        return
    assert not plain


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_damage_anywhere_gives_an_image_or_a_refusal(
    picture: Picture, encode: Encode, file_format: str
) -> None:
    data = encode(picture, file_format)
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 4):
            damaged[place] = rng.integers(256)
        try:
            image = decode_image(bytes(damaged))
        except ImageRefused:
            continue
        assert image.dtype == np.uint8
        assert image.shape[2] == 3


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_check_sees_the_same_damage_as_the_full_decode(
    picture: Picture, encode: Encode, options: dict[str, object]
) -> None:
    whole = encode(picture, **options)
    assert check_plain_jpeg(whole) == picture.shape[:2]
    rng = np.random.default_rng(0)
    num_plain = 0
    for _ in range(300):
        data = bytearray(whole)
        data[int(rng.integers(300, len(data)))] = int(rng.integers(256))
        del data[int(rng.integers(len(data) // 2, 3 * len(data))) :]
        is_plain = check_plain_jpeg(bytes(data)) is not None
        assert is_plain == is_kept(bytes(data))
        num_plain += is_plain
    assert 30 < num_plain < 270


def is_kept(data: bytes) -> bool:
    """Whether the full decode keeps the very bytes."""
    try:
        return take(data)[1]
    except ImageRefused:
        return False


def test_files_that_only_the_full_decode_judges(picture: Picture, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (
        encode(picture, exif=exif.tobytes()),
        encode(picture[:, :, 0]),
        encode(picture, "PNG"),
        b"",
    ):
        assert check_plain_jpeg(data) is None
