"""Decoding at a scale: the pictures of `faceae_shards.fit_image`, at less work."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from faceae.data._batch_decoder import DamagedRowError, mirror_rows, write_arrays, write_jpegs
from faceae_shards import fit_image


def draw(width: int, height: int) -> bytes:
    """A JPEG with edges, texture and a gradient, so that a shift or a wrong scale shows."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3))
    image.paste((250, 240, 20), (width // 3, height // 4, width // 2, height // 2))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    return stream.getvalue()


def decode_fitted(data: bytes, side: int) -> NDArray[np.uint8]:
    rows = np.empty((1, side, side, 3), dtype=np.uint8)
    write_jpegs([data], rows)
    found: NDArray[np.uint8] = rows[0]
    return found


def fit_in_full(data: bytes, side: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return fit_image(np.asarray(image), size=side)


def measure_psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# 77 is odd where 178x218 scaled has an even height; then sides that do not halve, one that would
# leave too few pixels, and one enlarged.
@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(178, 218, 77), (217, 91, 40), (250, 251, 32), (178, 218, 72), (64, 80, 100)],
)
def test_full_decoding_differs_by_rounding_only(width: int, height: int, side: int) -> None:
    data = draw(width, height)
    found, expected = decode_fitted(data, side), fit_in_full(data, side)
    assert found.shape == (side, side, 3)
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("width", "height", "side"), [(178, 218, 64), (400, 300, 100), (1000, 704, 64)]
)
def test_decoding_at_a_scale_gives_nearly_the_same(width: int, height: int, side: int) -> None:
    data = draw(width, height)
    found, expected = decode_fitted(data, side), fit_in_full(data, side)
    assert np.abs(found.astype(int) - expected).max() > 2, "it was decoded in full"
    assert measure_psnr(found, expected) > 38


def test_a_picture_of_the_asked_size_keeps_its_pixels() -> None:
    data = draw(64, 64)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode_fitted(data, 64), np.asarray(image))


@pytest.mark.parametrize("cut", [0, 2, 300, -200])
def test_a_damaged_jpeg_is_an_error(cut: int) -> None:
    good = draw(178, 218)
    rows = np.empty((3, 64, 64, 3), dtype=np.uint8)
    with pytest.raises(DamagedRowError, match="damaged") as caught:
        write_jpegs([good, good[:cut], good], rows)
    assert caught.value.row == 1


def save_array(picture: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, picture)
    return stream.getvalue()


@pytest.mark.parametrize("side", [20, 8])
@pytest.mark.parametrize("joined", [True, False], ids=["one array", "bytes"])
def test_arrays_are_copied_or_scaled(side: int, joined: bool) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    stored = [save_array(picture) for picture in pictures]
    files = np.stack([np.frombuffer(data, np.uint8) for data in stored]) if joined else stored
    rows = np.empty((3, side, side, 3), dtype=np.uint8)
    write_arrays(files, (20, 24), rows)
    for row, picture in zip(rows, pictures, strict=True):
        assert np.abs(row.astype(int) - fit_image(picture, size=side)).max() <= 2


def test_an_array_as_large_as_asked_for_keeps_its_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    rows = np.empty((1, 8, 8, 3), dtype=np.uint8)
    write_arrays([save_array(picture)], (8, 8), rows)
    assert np.array_equal(rows[0], picture)


@pytest.mark.parametrize("damage", ["cut", "longer", "another shape", "another type"])
def test_an_array_that_is_not_the_picture_is_named(damage: str) -> None:
    good = save_array(np.zeros((8, 8, 3), np.uint8))
    bad = {
        "cut": good[:-1],
        "longer": good + b"x",
        "another shape": save_array(np.zeros((4, 16, 3), np.uint8)),
        "another type": save_array(np.zeros((8, 8, 3), np.int8)),
    }[damage]
    rows = np.empty((3, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(DamagedRowError, match="not a picture of 8x8 pixels") as caught:
        write_arrays([good, good, bad], (8, 8), rows)
    assert caught.value.row == 2


@pytest.mark.parametrize("width", [1, 15, 16, 64])
def test_marked_rows_are_mirrored_in_place_and_no_others(width: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (5, 8, width, 3), dtype=np.uint8)
    mirrored = np.array([True, False, True, False, False])
    expected = np.where(mirrored[:, None, None, None], rows[:, :, ::-1], rows)
    mirror_rows(rows, mirrored)
    assert np.array_equal(rows, expected)
