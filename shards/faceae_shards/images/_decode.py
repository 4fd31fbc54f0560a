"""One image file decoded whole, or refused with the reason.

Arrays are H x W x 3, uint8, RGB in sRGB. JPEGs are decoded by libjpeg-turbo, the library that DALI
and the portable loader decode with, strictly: where it warns, the file is repaired if all pixels
are there, and refused if not.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ._colour import is_srgb
from ._jpeg import JpegHeader, is_jpeg, read_header
from ._jpeg_repair import repair
from ._orientation import read_exif_orientation, read_orientation, read_xmp_orientation
from ._pillow import decode_with_pillow, finish_colours, turn_upright
from ._refused import MAX_PIXELS, ImageRefused, check_sides
from ._turbo import (
    CMYK,
    HEADER_CUT,
    UNKNOWN_TO_SIMPLEJPEG,
    decode_strictly,
    explain_refusal,
    find_problem,
    find_warning,
)

_HUGE_PIXELS = 100_000_000
"""Pixels above which a JPEG is decoded at the scale that is needed, not in full."""
_SCALES = (8, 4, 2)
_ANY_PIXELS = 1 << 32
"""Pixels of the largest JPEG that there can be."""
_DAMAGED = ("truncated", "corrupt")
_SCAN_MARKER = b"\xff\xda"


@dataclass(frozen=True, kw_only=True)
class DecodedImage:
    """A picture and what had to be done for it."""

    image_HWC: NDArray[np.uint8]
    plain: bytes | None
    """A JPEG file from which every decoder reads the same pixels: the source file, or that file
    repaired. None where there is no such file."""
    is_repaired: bool
    """Whether the source file broke the JPEG standard around its pixels."""
    is_profile_ignored: bool
    """Whether the source file has a colour profile that cannot be used."""
    num_pixels: int
    """Pixels of the source, before any crop and scale."""
    is_turned: bool = False
    """Whether the metadata of a JPEG turned the picture."""


class _Limits(NamedTuple):
    """Arguments of `decode`."""

    max_pixels: int
    crop: int | None
    min_side: int | None


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a photograph: upright, in sRGB, transparent parts white.

    Args:
        max_pixels: larger pictures are refused before they take memory.

    Raises:
        ImageRefused: not an image, damaged, animated, too small or too large, or with pixels that
            are no 8 or 16 bits a channel. It is a ShardsError; it does not name the file.
    """
    return decode(data, max_pixels=max_pixels).image_HWC


def decode(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    crop: int | None = None,
    min_side: int | None = None,
) -> DecodedImage:
    """Decode a photograph, upright and in sRGB.

    Args:
        max_pixels: larger pictures are refused.
        crop: side of the centre square that the caller will keep. Where a JPEG is converted to
            sRGB, only that square is; the result may then be the square alone.
        min_side: pixels that the shorter side must keep where a huge JPEG is decoded at a half, a
            quarter or an eighth. None: it is decoded in full.

    Raises:
        ImageRefused: as `decode_image`.
    """
    if not data:
        raise ImageRefused("empty", "the file has no bytes")
    if is_jpeg(data):
        return _decode_jpeg(data, _Limits(max_pixels, crop, min_side))
    return _decode_other(data, max_pixels)


def check_plain_jpeg(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | None:
    """Return height and width of an undamaged sRGB JPEG that every decoder reads the same.

    None stands for any other file, which `decode` tells more about. All coefficients of all
    components are decoded, so that damage is seen as by `decode`; but each block becomes a single
    pixel, which takes less than half of the time.
    """
    header = read_header(data) if is_jpeg(data) else None
    if header is None or header.exif is not None or read_xmp_orientation(header) != 1:
        return None
    if header.icc_parts and not is_srgb(header.icc or b""):
        return None
    return _check_loadable(data, header, max_pixels)


def check_loadable_jpeg(data: bytes) -> tuple[int, int]:
    """Return height and width of an upright JPEG that every loader decodes, whatever its profile.

    Raises:
        ImageRefused: it is damaged, or not such a JPEG.
    """
    header = read_header(data) if is_jpeg(data) else None
    if header is not None and read_exif_orientation(header) in (1, None):
        size_HW = _check_loadable(data, header, _ANY_PIXELS)
        if size_HW is not None:
            return size_HW
    is_repairable = decode(data, max_pixels=_ANY_PIXELS).is_repaired
    detail = "its JPEG structure is damaged" if is_repairable else "it is another kind of file"
    raise ImageRefused("not plain", f"only upright RGB JPEGs belong into a shard; {detail}")


def _check_loadable(data: bytes, header: JpegHeader, max_pixels: int) -> tuple[int, int] | None:
    import simplejpeg

    if not header.is_common:
        return None
    try:
        check_sides(header.width, header.height, max_pixels)
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except (ImageRefused, ValueError):
        return None
    if colorspace != "YCbCr" or find_warning(data, "GRAY") is not None:
        return None
    return height, width


def _decode_other(data: bytes, max_pixels: int) -> DecodedImage:
    image_HWC, is_ignored = decode_with_pillow(data, max_pixels)
    return DecodedImage(
        image_HWC=image_HWC,
        plain=None,
        is_repaired=False,
        is_profile_ignored=is_ignored,
        num_pixels=image_HWC.shape[0] * image_HWC.shape[1],
    )


def _decode_jpeg(data: bytes, limits: _Limits) -> DecodedImage:
    try:
        return _decode_sound_jpeg(data, limits)
    except ImageRefused as refusal:
        if refusal.reason not in _DAMAGED:
            raise
        repaired = repair(data, lambda candidate: find_problem(candidate, limits.max_pixels))
        if repaired is None:
            raise
    return replace(_decode_sound_jpeg(repaired, limits), is_repaired=True)


def _decode_sound_jpeg(data: bytes, limits: _Limits) -> DecodedImage:
    import simplejpeg

    header = _read_decodable_header(data, limits.max_pixels)
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        if UNKNOWN_TO_SIMPLEJPEG in str(error):  # Pillow decodes every subsampling
            return _decode_other(data, limits.max_pixels)
        raise explain_refusal(error) from error
    icc, sides = header.icc, _choose_scale(header, limits.min_side)
    orientation, is_ignored = read_orientation(header), False
    if colorspace in CMYK or (icc is not None and not is_srgb(icc)):
        image = turn_upright(_decode_for_conversion(data, colorspace, sides), orientation)
        image_HWC, is_ignored = finish_colours(_crop_centre(image, limits.crop), icc)
    else:
        image_HWC = _turn_upright(decode_strictly(data, "RGB", sides), orientation)
    is_plain = orientation == 1 and header.is_common and colorspace == "YCbCr"
    is_srgb_already = icc is None or is_ignored or is_srgb(icc)
    return DecodedImage(
        image_HWC=image_HWC,
        plain=data if is_plain and is_srgb_already else None,
        is_repaired=False,
        is_profile_ignored=is_ignored,
        num_pixels=header.height * header.width,
        is_turned=orientation not in (0, 1),
    )


def _read_decodable_header(data: bytes, max_pixels: int) -> JpegHeader:
    header = read_header(data)
    if header is None:
        if _SCAN_MARKER in data:
            raise ImageRefused("corrupt", "the JPEG header is damaged")
        raise ImageRefused("truncated", HEADER_CUT)
    check_sides(header.width, header.height, max_pixels)
    if header.bits != 8:
        raise ImageRefused("unsupported", f"a JPEG of {header.bits} bits a channel")
    return header


def _decode_for_conversion(data: bytes, colorspace: str, sides: tuple[int, int]) -> Image.Image:
    """Decode a JPEG into the colour space that its profile is for."""
    if colorspace in CMYK:
        inks_HWC = decode_strictly(data, "CMYK", sides)
        return Image.fromarray(255 - inks_HWC, "CMYK")  # stored inverted, as Pillow reads it
    if colorspace == "GRAY":
        return Image.fromarray(decode_strictly(data, "GRAY", sides)[:, :, 0])
    return Image.fromarray(decode_strictly(data, "RGB", sides))


def _choose_scale(header: JpegHeader, min_side: int | None) -> tuple[int, int]:
    """Return the least height and width to decode a JPEG at; 0, 0 for all of it."""
    if min_side is None or header.height * header.width <= _HUGE_PIXELS:
        return 0, 0
    for divisor in _SCALES:
        height, width = -(-header.height // divisor), -(-header.width // divisor)
        if min(height, width) >= min_side:
            return height, width
    return 0, 0


def _turn_upright(image_HWC: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    if orientation == 1:
        return image_HWC
    return np.array(turn_upright(Image.fromarray(image_HWC), orientation))


def _crop_centre(image: Image.Image, side: int | None) -> Image.Image:
    width, height = image.size
    if side is None or side > min(width, height):
        return image
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
