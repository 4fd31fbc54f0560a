"""The orientation that the metadata of a JPEG asks for."""

import re
import warnings

from PIL import ExifTags, Image

from ._jpeg import JpegHeader
from ._pillow import DECODER_ERRORS

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")
"""As Pillow finds it."""


def read_orientation(header: JpegHeader) -> object:
    """Return the orientation: 1 where there is none to apply, 0 where the EXIF block is damaged.

    XMP counts where EXIF says nothing, as in Pillow.
    """
    orientation = read_exif_orientation(header)
    return read_xmp_orientation(header) if orientation is None else orientation


def read_xmp_orientation(header: JpegHeader) -> int:
    """Return the orientation in the XMP block, 1 where it has none."""
    match = None if header.xmp is None else _XMP_ORIENTATION.search(header.xmp)
    return 1 if match is None else int(match[1])


def read_exif_orientation(header: JpegHeader) -> object:
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
