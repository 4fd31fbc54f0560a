"""Pictures of every format but JPEG, decoded by Pillow to upright RGB in sRGB."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from ._colour import BadProfileError, convert_lab, convert_to_srgb
from ._content import describe_other, is_heic, name_picture_format
from ._heic import open_heic
from ._png import SIGNATURE, read_png
from ._refused import ImageRefused, check_sides

DECODER_ERRORS = (
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
    RuntimeError,
)
"""What Pillow's plugins raise on damaged files."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
_GREY_16 = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_MODES = _GREY_16 | {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"}
"""Pillow modes that convert to RGB of 8 bits without loss of meaning."""
_OTHER_MODES = {"I": "32-bit integer pixels", "F": "floating-point pixels"}
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its EXIF orientation. Other values say nothing."""
_NOT_INSTALLED = "support not installed"
_UNKNOWN_PIXELS = "unknown pixel mode"
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_MIN_IS_WHITE = 0
_limit_lock = threading.Lock()


def decode_with_pillow(data: bytes, max_pixels: int) -> tuple[NDArray[np.uint8], bool]:
    """Return the upright picture, H x W x 3, RGB, and whether its colour profile was unusable.

    Raises:
        ImageRefused: not a picture, damaged, animated, of an unusual pixel type, too small or too
            large.
    """
    icc = None
    if data.startswith(SIGNATURE):
        png = read_png(data)
        data, icc = png.data, png.icc
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower bomb limit, and odd metadata
            try:
                return _decode(data, icc, max_pixels)
            except Image.DecompressionBombError:
                with _lifted_limit():
                    return _decode(data, icc, max_pixels)
    except ImageRefused:
        raise
    except UnidentifiedImageError as error:
        raise _explain_unidentified(data) from error
    except DECODER_ERRORS as error:
        message = f"{error}"
        reason = "truncated" if "truncated" in message.lower() else "corrupt"
        raise ImageRefused(reason, message or type(error).__name__) from error


def finish_colours(image: Image.Image, icc: bytes | None) -> tuple[NDArray[np.uint8], bool]:
    """Return the picture in sRGB, H x W x 3, and whether its profile was unusable.

    Transparent parts become white. An alpha channel that is zero everywhere is ignored: programs
    write it that have no transparency to store.
    """
    alpha = None
    if image.mode in _GREY_16:
        image = _scale_to_8_bits(image)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = image.getchannel("L") if image.mode == "LA" else rgba.convert("RGB")
    image, is_ignored = _convert_colours(image, icc)
    if alpha is not None and alpha.getextrema() not in ((0, 0), (255, 255)):
        image.putalpha(alpha)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.array(image), is_ignored


def turn_upright(image: Image.Image, orientation: object) -> Image.Image:
    """Return the picture turned as its EXIF orientation says; the same object for 1."""
    if isinstance(orientation, int) and orientation in _TRANSPOSES:
        return image.transpose(_TRANSPOSES[orientation])
    return image


def _decode(data: bytes, icc: bytes | None, max_pixels: int) -> tuple[NDArray[np.uint8], bool]:
    if is_heic(data):
        image = open_heic(data, max_pixels)
        return finish_colours(image, image.info.get("icc_profile"))
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        _check_frame(image, max_pixels)
        image.load()
        upright = turn_upright(image, _find_orientation(image))
        return finish_colours(upright, icc if icc is not None else image.info.get("icc_profile"))


def _explain_unidentified(data: bytes) -> ImageRefused:
    name = name_picture_format(data)
    if name is None:
        return ImageRefused("not an image", describe_other(data))
    open_, _ = Image.OPEN[name.upper()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            open_(io.BytesIO(data), "")
    except DECODER_ERRORS as error:
        if _UNKNOWN_PIXELS in str(error):
            return ImageRefused("unsupported", f"a {name} file with pixels of an unusual type")
        if _NOT_INSTALLED in str(error):
            return ImageRefused("unsupported", f"this Pillow was built without {name}")
    return ImageRefused("corrupt", f"a damaged {name} file")


def _check_frame(image: Image.Image, max_pixels: int) -> None:
    check_sides(*image.size, max_pixels)
    num_frames = getattr(image, "n_frames", 1)
    if num_frames > 1 and image.format != "MPO":  # phones hide previews behind an ordinary JPEG
        raise ImageRefused("animated", f"{image.format} with {num_frames} frames")
    if image.mode not in _MODES:
        kind = _OTHER_MODES.get(image.mode, f"pixels of Pillow mode {image.mode}")
        raise ImageRefused("unsupported", f"{image.format} with {kind}")


def _find_orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS:  # damaged metadata
        return 1


def _convert_colours(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bool]:
    if image.mode in ("1", "P", "PA", "RGBX", "YCbCr"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    is_ignored = False
    if icc is not None:
        try:
            return convert_to_srgb(image, icc), False
        except BadProfileError:
            is_ignored = True
    if image.mode == "LAB":
        return convert_lab(image), is_ignored
    return image if image.mode == "RGB" else image.convert("RGB"), is_ignored


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as mode L: 65,535 becomes 255, in TIFF also 4,095 of 12 bits."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    brightest = (1 << bits) - 1
    values_HW = np.asarray(image).astype(np.uint32).clip(max=brightest)
    pixels_HW = ((values_HW * 255 + brightest // 2) // brightest).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        pixels_HW = 255 - pixels_HW
    return Image.fromarray(pixels_HW)


@contextmanager
def _lifted_limit() -> Iterator[None]:
    """Lift Pillow's limit on pixels, for a picture that is checked against our own.

    Pillow holds it in a global variable: one thread lifts it at a time, and rarely.
    """
    with _limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
