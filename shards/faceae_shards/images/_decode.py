"""One image file decoded whole, or refused with the reason.

Arrays are H x W x 3, uint8, RGB in sRGB. JPEGs are decoded by libjpeg-turbo, the library that DALI
and the portable loader decode with, strictly: where it warns, the file is repaired if all pixels
are there, and refused if not.
"""

import re
import warnings
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from ._colour import is_srgb
from ._jpeg import JpegHeader, is_jpeg, read_header
from ._jpeg_repair import repair
from ._pillow import DECODER_ERRORS, decode_with_pillow, finish_colours, turn_upright
from ._refused import MAX_PIXELS, ImageRefused, check_sides

_HARMLESS = "extraneous bytes before marker 0xd9"
"""Junk just before the end of a JPEG: all pixels are there, and both loaders decode them."""
_HUGE_PIXELS = 100_000_000
"""Pixels above which a JPEG is decoded at the scale that is needed, not in full."""
_SCALES = (8, 4, 2)
_ANY_PIXELS = 1 << 32
"""Pixels of the largest JPEG that there can be."""
_CMYK = ("CMYK", "YCCK")
_DAMAGED = ("truncated", "corrupt")
_SCAN_MARKER = b"\xff\xda"
_HEADER_CUT = "the JPEG header is not whole"
_UNKNOWN_TO_SIMPLEJPEG = "Could not determine"
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")
"""As Pillow finds it."""
_Colorspace = Literal["RGB", "GRAY", "CMYK"]


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
    if header is None or header.exif is not None or _read_xmp_orientation(header) != 1:
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
    if header is not None and _read_exif_orientation(header) in (1, None):
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
    if colorspace != "YCbCr" or _find_warning(data, "GRAY") is not None:
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
        repaired = repair(data, lambda candidate: _find_problem(candidate, limits.max_pixels))
        if repaired is None:
            raise
    return replace(_decode_sound_jpeg(repaired, limits), is_repaired=True)


def _decode_sound_jpeg(data: bytes, limits: _Limits) -> DecodedImage:
    import simplejpeg

    header = _read_decodable_header(data, limits.max_pixels)
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        if _UNKNOWN_TO_SIMPLEJPEG in str(error):  # Pillow decodes every subsampling
            return _decode_other(data, limits.max_pixels)
        raise _explain(error) from error
    icc, sides = header.icc, _choose_scale(header, limits.min_side)
    orientation, is_ignored = _read_orientation(header), False
    if colorspace in _CMYK or (icc is not None and not is_srgb(icc)):
        image = turn_upright(_decode_for_conversion(data, colorspace, sides), orientation)
        image_HWC, is_ignored = finish_colours(_crop_centre(image, limits.crop), icc)
    else:
        image_HWC = _turn_upright(_decode_strictly(data, "RGB", sides), orientation)
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
        raise ImageRefused("truncated", _HEADER_CUT)
    check_sides(header.width, header.height, max_pixels)
    if header.bits != 8:
        raise ImageRefused("unsupported", f"a JPEG of {header.bits} bits a channel")
    return header


def _decode_for_conversion(data: bytes, colorspace: str, sides: tuple[int, int]) -> Image.Image:
    """Decode a JPEG into the colour space that its profile is for."""
    if colorspace in _CMYK:
        inks_HWC = _decode_strictly(data, "CMYK", sides)
        return Image.fromarray(255 - inks_HWC, "CMYK")  # stored inverted, as Pillow reads it
    if colorspace == "GRAY":
        return Image.fromarray(_decode_strictly(data, "GRAY", sides)[:, :, 0])
    return Image.fromarray(_decode_strictly(data, "RGB", sides))


def _choose_scale(header: JpegHeader, min_side: int | None) -> tuple[int, int]:
    """Return the least height and width to decode a JPEG at; 0, 0 for all of it."""
    if min_side is None or header.height * header.width <= _HUGE_PIXELS:
        return 0, 0
    for divisor in _SCALES:
        height, width = -(-header.height // divisor), -(-header.width // divisor)
        if min(height, width) >= min_side:
            return height, width
    return 0, 0


def _decode_strictly(
    data: bytes, colorspace: _Colorspace, sides: tuple[int, int]
) -> NDArray[np.uint8]:
    import simplejpeg

    height, width = sides
    image_HWC: NDArray[np.uint8]
    try:
        image_HWC = simplejpeg.decode_jpeg(data, colorspace, min_height=height, min_width=width)
    except ValueError as error:
        if not str(error).endswith(_HARMLESS):
            raise _explain(error) from error
        image_HWC = simplejpeg.decode_jpeg(
            data, colorspace, min_height=height, min_width=width, strict=False
        )
    return image_HWC


def _explain(error: ValueError) -> ImageRefused:
    message = str(error)
    if "remature end of JPEG" in message:
        return ImageRefused("truncated", message)
    if "nsupported" in message:
        return ImageRefused("unsupported", f"a JPEG of a rare kind: {message}")
    return ImageRefused("corrupt", message)


def _find_warning(data: bytes, colorspace: _Colorspace) -> str | None:
    """Return what the decoder complains of, or None; each block becomes one pixel."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, colorspace, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return None if str(error).endswith(_HARMLESS) else str(error)
    return None


def _find_problem(data: bytes, max_pixels: int) -> str | None:
    """Return what is wrong with a JPEG, or None.

    Raises:
        ImageRefused: too small or too large.
    """
    import simplejpeg

    header = read_header(data)
    if header is None:
        return _HEADER_CUT
    check_sides(header.width, header.height, max_pixels)
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        return None if _UNKNOWN_TO_SIMPLEJPEG in str(error) else str(error)
    return _find_warning(data, "CMYK" if colorspace in _CMYK else "GRAY")


def _read_orientation(header: JpegHeader) -> object:
    """Return the orientation: 1 where there is none to apply, 0 where the EXIF block is damaged.

    XMP counts where EXIF says nothing, as in Pillow.
    """
    orientation = _read_exif_orientation(header)
    return _read_xmp_orientation(header) if orientation is None else orientation


def _read_xmp_orientation(header: JpegHeader) -> int:
    match = None if header.xmp is None else _XMP_ORIENTATION.search(header.xmp)
    return 1 if match is None else int(match[1])


def _read_exif_orientation(header: JpegHeader) -> object:
    """Return the orientation in the EXIF block, 0 where the block is damaged, or None without one.

    Pillow reads a damaged block as far as it can, and warns; other readers differ.
    """
    if header.exif is None:
        return None
    exif = Image.Exif()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exif.load(header.exif)
            orientation: object = exif.get(ExifTags.Base.Orientation)
    except DECODER_ERRORS:
        return 0
    return 0 if caught and orientation in (1, None) else orientation


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
