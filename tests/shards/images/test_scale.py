"""The scaling filter: Pillow's, on any processor, in any thread, and with or without cykooz."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae_shards.images import _scale
from faceae_shards.images._scale import scale_image

Picture = NDArray[np.uint8]


@pytest.fixture
def photograph() -> Picture:
    """Edges and noise, 178 x 218."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    smooth = np.array(coarse.resize((178, 218), Image.Resampling.BICUBIC)).astype(np.int16)
    return (smooth + rng.integers(-9, 10, smooth.shape)).clip(0, 255).astype(np.uint8)


def compare(one: Picture, other: Picture) -> NDArray[np.int16]:
    assert one.shape == other.shape
    return np.abs(one.astype(np.int16) - other)


@pytest.mark.parametrize("size", [(64, 78), (178, 218), (96, 218), (250, 300)])
def test_filter_is_that_of_pillow(photograph: Picture, size: tuple[int, int]) -> None:
    pillow = np.array(Image.fromarray(photograph).resize(size, Image.Resampling.BICUBIC))
    differences = compare(scale_image(photograph, *size), pillow)
    assert differences.mean() < 0.25
    assert np.quantile(differences, 0.999) <= 1


@pytest.mark.parametrize("size", [(64, 78), (250, 300)])
def test_pillow_stands_in(
    photograph: Picture, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cykooz_resizer")
    scaled = scale_image(photograph, *size)
    monkeypatch.setattr(_scale, "cykooz_resizer", None)
    assert compare(scaled, scale_image(photograph, *size)).mean() < 0.01


def test_every_processor_gives_the_same_values(photograph: Picture) -> None:
    cykooz = pytest.importorskip("cykooz_resizer")
    scaled = scale_image(photograph, 64, 78)
    resizer, _ = _scale._get_resizer()
    chosen = resizer.cpu_extensions
    resizer.cpu_extensions = cykooz.CpuExtensions.none
    plain = scale_image(photograph, 64, 78)
    resizer.cpu_extensions = chosen
    assert np.array_equal(plain, scaled)


def test_threads_do_not_share_a_resizer(photograph: Picture) -> None:
    pictures = [photograph[shift:] for shift in range(16)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda each: scale_image(each, 48, 64), pictures))
    for scaled, each in zip(together, pictures, strict=True):
        assert np.array_equal(scaled, scale_image(each, 48, 64))


def test_thousands_of_pixels_become_one() -> None:
    strip = np.tile(np.array([250, 3, 128], np.uint8), (16, 40_000, 1))
    assert compare(scale_image(strip, 16, 16), strip[:, :16]).max() == 0
