"""Small photographs, and what tests do with every pack."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import faceae_shards

Encode = Callable[..., bytes]


def draw(width: int = 40, height: int = 48, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth picture, so that JPEG changes it little."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(3, 3, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    return draw()


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Encode an array, or a Pillow image, as a file of a format."""

    def encode_(
        image: NDArray[np.uint8] | Image.Image, file_format: str = "JPEG", **options: Any
    ) -> bytes:
        stream = io.BytesIO()
        if not isinstance(image, Image.Image):
            image = Image.fromarray(image)
        if file_format == "JPEG":
            options = {"quality": 92, **options}
        image.save(stream, file_format, **options)
        return stream.getvalue()

    return encode_


@pytest.fixture
def photos(tmp_path: Path, encode: Encode) -> Path:
    """20 JPEGs of 40x48, flat in a folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}.jpg").write_bytes(encode(draw(seed=number)))
    return folder


@pytest.fixture
def configure(photos: Path, tmp_path: Path) -> Callable[..., faceae_shards.PackConfig]:
    """Make a config that packs `photos` into `tmp_path / "out"`: five shards, one process."""

    def configure_(**options: Any) -> faceae_shards.PackConfig:
        defaults = {
            "source": photos,
            "out": tmp_path / "out",
            "samples_per_shard": 4,
            "split": (0.8, 0.1, 0.1),
            "workers": 1,
        }
        return faceae_shards.PackConfig(**{**defaults, **options})

    return configure_
