"""Decoding at a scale: the pictures of `shards.fit_image`, at less work."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from faceae.data._rows import decode_fitted, mirror_rows
from shards import ShardsError, fit_image


def draw(width: int, height: int) -> bytes:
    """A JPEG with edges, texture and a gradient, so that a shift or a wrong scale shows."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3))
    image.paste((250, 240, 20), (width // 3, height // 4, width // 2, height // 2))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    return stream.getvalue()


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
    with pytest.raises(ShardsError, match="damaged"):
        decode_fitted(draw(178, 218)[:cut], 64)


@pytest.mark.parametrize("width", [1, 15, 16, 64])
def test_marked_rows_are_mirrored_in_place_and_no_others(width: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (5, 8, width, 3), dtype=np.uint8)
    mirrored = np.array([True, False, True, False, False])
    expected = np.where(mirrored[:, None, None, None], rows[:, :, ::-1], rows)
    mirror_rows(rows, mirrored)
    assert np.array_equal(rows, expected)
