"""Strict decoding of JPEGs by libjpeg-turbo: what it warns of is refused, with the reason."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ._jpeg import read_header
from ._refused import ImageRefused, check_sides

_HARMLESS = "extraneous bytes before marker 0xd9"
"""Junk just before the end of a JPEG: all pixels are there, and both loaders decode them."""
CMYK = ("CMYK", "YCCK")
"""Colour spaces of four inks."""
HEADER_CUT = "the JPEG header is not whole"
UNKNOWN_TO_SIMPLEJPEG = "Could not determine"
"""Part of the error for a JPEG whose subsampling simplejpeg does not know."""
_Colorspace = Literal["RGB", "GRAY", "CMYK"]


def decode_strictly(
    data: bytes, colorspace: _Colorspace, sides: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the pixels, H x W x channels uint8, at no less than `sides` (height, width; 0: full).

    Raises:
        ImageRefused: the decoder warns of damage.
    """
    import simplejpeg

    height, width = sides
    image_HWC: NDArray[np.uint8]
    try:
        image_HWC = simplejpeg.decode_jpeg(data, colorspace, min_height=height, min_width=width)
    except ValueError as error:
        if not str(error).endswith(_HARMLESS):
            raise explain_refusal(error) from error
        image_HWC = simplejpeg.decode_jpeg(
            data, colorspace, min_height=height, min_width=width, strict=False
        )
    return image_HWC


def explain_refusal(error: ValueError) -> ImageRefused:
    """Return the refusal that stands for an error of the decoder."""
    message = str(error)
    if "remature end of JPEG" in message:
        return ImageRefused("truncated", message)
    if "nsupported" in message:
        return ImageRefused("unsupported", f"a JPEG of a rare kind: {message}")
    return ImageRefused("corrupt", message)


def find_warning(data: bytes, colorspace: _Colorspace) -> str | None:
    """Return what the decoder complains of, or None; each block becomes one pixel."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, colorspace, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return None if str(error).endswith(_HARMLESS) else str(error)
    return None


def find_problem(data: bytes, max_pixels: int) -> str | None:
    """Return what is wrong with a JPEG, or None.

    Raises:
        ImageRefused: too small or too large.
    """
    import simplejpeg

    header = read_header(data)
    if header is None:
        return HEADER_CUT
    check_sides(header.width, header.height, max_pixels)
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        return None if UNKNOWN_TO_SIMPLEJPEG in str(error) else str(error)
    return find_warning(data, "CMYK" if colorspace in CMYK else "GRAY")
