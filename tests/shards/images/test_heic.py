"""HEIC and AVIF pictures, with and without what decodes them."""

import io
import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image

from faceae_shards import ImageRefused, decode_image

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]

HEADER = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf"


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageRefused, match=r"pip install 'faceae\[heic\]'") as caught:
        decode_image(HEADER + bytes(100))
    assert caught.value.reason == "unsupported"


def test_pillow_without_avif(
    picture: Picture, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(picture, "AVIF")
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with pytest.raises(ImageRefused, match="built without AVIF") as caught:
        decode_image(data)
    assert caught.value.reason == "unsupported"


@pytest.fixture
def encode_heic() -> Callable[..., bytes]:
    pillow_heif = pytest.importorskip("pillow_heif")

    def encode_heic_(image: Image.Image, **options: object) -> bytes:
        stream = io.BytesIO()
        pillow_heif.from_pillow(image).save(stream, quality=95, **options)
        return stream.getvalue()

    return encode_heic_


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_heic_becomes_rgb(picture: Picture, encode_heic: Callable[..., bytes], mode: str) -> None:
    image = Image.fromarray(picture).convert(mode)
    decoded = decode_image(encode_heic(image))
    assert np.abs(decoded.astype(int) - np.array(image.convert("RGB"))).mean() < 4


def test_heic_is_turned_once(picture: Picture, encode_heic: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode_image(encode_heic(Image.fromarray(picture), exif=exif.tobytes()))
    assert decoded.shape == (40, 48, 3)
    assert np.abs(decoded.astype(int) - np.rot90(picture, -1)).mean() < 4


@pytest.mark.parametrize("keep", [40, 200, 400])
def test_cut_heic(picture: Picture, encode_heic: Callable[..., bytes], keep: int) -> None:
    with pytest.raises(ImageRefused) as caught:
        decode_image(encode_heic(Image.fromarray(picture))[:keep])
    assert caught.value.reason == "corrupt"
    assert "\n" not in str(caught.value)


def test_limit_of_pixels(picture: Picture, encode_heic: Callable[..., bytes]) -> None:
    with pytest.raises(ImageRefused, match="too large"):
        decode_image(encode_heic(Image.fromarray(picture)), max_pixels=1000)
