"""One image file decoded whole, or refused with the reason.

Arrays are H x W x 3, uint8, RGB. JPEGs are decoded by libjpeg-turbo, the library that DALI and the
portable loader decode with, strictly: a warning that loaders turn into an error or into grey
pixels is a refusal here.
"""

import io
import struct
import warnings
import zlib
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .._errors import ShardsError
from .._format import MIN_SIDE
from ._jpeg import JpegHeader, is_jpeg, read_header

MAX_PIXELS = 100_000_000
"""Larger pictures are taken for decompression bombs."""

_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
"""Pillow modes of 8 bits a channel that convert to RGB without loss of meaning."""
_HARMLESS = "extraneous bytes before marker 0xd9"
"""Junk just before the end of a JPEG: all pixels are there, and both loaders decode them."""
_HTML_STARTS = (b"<!doctype html", b"<html")

_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    NotImplementedError,
)
"""What Pillow's plugins raise on damaged files."""


class ImageRefused(ShardsError):
    """An image that must not reach training. `reason` is one of a few words, `detail` says more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def is_html(data: bytes) -> bool:
    """Tell an HTML page, which servers send in place of a file, by its first bytes."""
    return data[:1024].lstrip().lower().startswith(_HTML_STARTS)


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode a photograph: upright, RGB, transparent parts white.

    Raises:
        ImageRefused: not an image, damaged, animated, too small or too large, or with more than
            8 bits a channel. It is a ShardsError; it does not name the file.
    """
    return decode(data)[0]


def decode(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    """Return the upright image, and whether every decoder reads the same from `data` itself.

    Raises:
        ImageRefused: as `decode_image`.
    """
    if not data:
        raise ImageRefused("empty", "the file has no bytes")
    if is_jpeg(data):
        return _decode_jpeg(data)
    if is_html(data):
        raise ImageRefused("not an image", "it is an HTML page")
    return _decode_with_pillow(data), False


def check_plain_jpeg(data: bytes) -> tuple[int, int] | None:
    """Check a JPEG that every decoder reads the same and return its height and width.

    None stands for any other file, which `decode` tells more about. All coefficients of all
    components are decoded, so that damage is seen as by `decode`; only brightness becomes pixels,
    which takes two thirds of the time.

    Raises:
        ImageRefused: as `decode`.
    """
    header = read_header(data) if is_jpeg(data) else None
    if header is None or header.exif is not None or not header.is_common:
        return None
    _check_sides(header.width, header.height)
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    if colorspace != "YCbCr":
        return None
    _decode_strictly(data, "GRAY")
    return height, width


def _decode_jpeg(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    header = read_header(data)
    if header is None:
        raise ImageRefused("truncated", "the JPEG header is not whole")
    _check_sides(header.width, header.height)
    if header.bits != 8:
        raise ImageRefused("unsupported", f"a JPEG of {header.bits} bits a channel")
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        # libjpeg-turbo's simple interface does not know every subsampling; Pillow decodes them all.
        return _decode_with_pillow(data), False
    image_HWC = _decode_strictly(data, "RGB")
    upright = _turn_upright(image_HWC, header)
    plain = header.is_common and colorspace == "YCbCr" and upright is image_HWC
    return upright, plain


def _decode_strictly(data: bytes, colorspace: Literal["RGB", "GRAY"]) -> NDArray[np.uint8]:
    image_HWC: NDArray[np.uint8]
    try:
        image_HWC = simplejpeg.decode_jpeg(data, colorspace)
    except ValueError as error:
        message = str(error)
        if message.endswith(_HARMLESS):
            image_HWC = simplejpeg.decode_jpeg(data, colorspace, strict=False)
            return image_HWC
        reason = "truncated" if "remature end of JPEG" in message else "corrupt"
        raise ImageRefused(reason, message) from error
    return image_HWC


def _turn_upright(image_HWC: NDArray[np.uint8], header: JpegHeader) -> NDArray[np.uint8]:
    """Apply the EXIF orientation; return the very array where there is nothing to apply.

    A damaged EXIF block counts as something: a copy is returned, so that the image is written
    anew without it, since loaders differ in what they make of such a block.
    """
    if header.exif is None:
        return image_HWC
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # how Pillow tells of damage
            exif.load(header.exif)
            if exif.get(ExifTags.Base.Orientation, 1) == 1:
                return image_HWC
            image = Image.fromarray(image_HWC)
            image.info["exif"] = header.exif
            return np.array(ImageOps.exif_transpose(image))
    except (Warning, *_DECODER_ERRORS):
        return image_HWC.copy()


def _decode_with_pillow(data: bytes) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower bomb limit, and odd metadata
            with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image:
                _check_frame(image)
                image.load()
                return _flatten(ImageOps.exif_transpose(image))
    except ImageRefused:
        raise
    except UnidentifiedImageError as error:
        formats = ", ".join(_PILLOW_FORMATS)
        raise ImageRefused("not an image", f"not a file of {formats}") from error
    except Image.DecompressionBombError as error:
        raise ImageRefused("too large", str(error)) from error
    except _DECODER_ERRORS as error:
        message = f"{error}"
        reason = "truncated" if "truncated" in message.lower() else "corrupt"
        raise ImageRefused(reason, message or type(error).__name__) from error


def _check_frame(image: Image.Image) -> None:
    _check_sides(*image.size)
    num_frames = getattr(image, "n_frames", 1)
    if num_frames > 1 and image.format != "MPO":  # phones hide previews behind an ordinary JPEG
        raise ImageRefused("animated", f"{image.format} with {num_frames} frames")
    if image.mode not in _MODES:
        raise ImageRefused("unsupported", f"{image.format} of Pillow mode {image.mode}")


def _check_sides(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise ImageRefused("too small", f"{width}x{height} pixels, at least {MIN_SIDE} are needed")
    if width * height > MAX_PIXELS:
        raise ImageRefused("too large", f"{width}x{height} pixels, a decompression bomb?")


def _flatten(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))
