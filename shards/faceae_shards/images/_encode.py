"""What a shard stores of an image: its geometry and its encoding.

Arrays are H x W x 3, uint8, RGB.
"""

import io
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._errors import ShardsError
from .._format import Encoding
from ._decode import check_loadable_jpeg, check_plain_jpeg, decode
from ._refused import MAX_PIXELS, ImageRefused
from ._scale import scale_image

NPY_HEADER_BYTES = 128
"""Before the pixels of every npy sample, so that a reader can skip them without parsing."""

_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00v\x00"
    rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \(([1-9]\d*), ([1-9]\d*), 3\), \} *\n"
)
"""As `numpy.save` writes it for an image; the groups are height and width."""

_JPEG_QUALITY = 95
_MAX_JPEG_SIDE = 65_500
_FAR_LARGER = 8
"""Pictures with more than this many times the pixels of the crop are probably no face pictures."""
_OVERSAMPLING = 2
"""Pixels of a huge JPEG, decoded at a smaller scale, for each pixel of the size asked for."""


@dataclass(frozen=True, kw_only=True)
class EncodedImage:
    """An image as it goes into a shard."""

    data: bytes
    height: int
    width: int
    converted: bool
    """Whether the source was anything but an upright sRGB JPEG."""
    repaired: bool = False
    """Whether the source broke the JPEG standard around its pixels."""
    profile_ignored: bool = False
    """Whether the source has a colour profile that cannot be used."""
    far_larger: bool = False
    """Whether the crop keeps less than an eighth of the source's pixels."""
    num_source_pixels: int = 0
    """Pixels of the source, before any crop and scale."""


def fit_image(
    image_HWC: NDArray[np.uint8], crop: int | None = None, size: int | None = None
) -> NDArray[np.uint8]:
    """Keep the centre square of `crop` pixels, then scale the shorter side to `size`, then keep
    the centre square of that.

    Scaling is a bicubic filter, which averages over the source pixels it covers. Its values differ
    from those of Pillow's filter by 0.2 of 255 on average. Offsets of centre squares round down.
    Enlarges where asked to. The result is C-contiguous.

    Raises:
        ShardsError: the image is smaller than `crop`.
    """
    if crop is not None:
        height, width, _ = image_HWC.shape
        if min(height, width) < crop:
            raise ShardsError(f"{width}x{height} pixels are less than the crop of {crop}")
        image_HWC = _crop_centre(image_HWC, crop)
    if size is None:
        return np.ascontiguousarray(image_HWC)
    height, width, _ = image_HWC.shape
    short = min(height, width)
    scaled = (_scale(width, size, short), _scale(height, size, short))
    return np.ascontiguousarray(_crop_centre(scale_image(image_HWC, *scaled), size))


def encode_for_shard(
    data: bytes,
    *,
    crop: int | None,
    size: int | None,
    encoding: Encoding,
    max_pixels: int = MAX_PIXELS,
) -> EncodedImage:
    """Check an image file by decoding it and return what a shard stores of it.

    An upright sRGB JPEG that needs neither crop nor size keeps its bytes; where its structure is
    damaged around the pixels, that alone is repaired. Any other image becomes a JPEG of quality 95
    without chroma subsampling, or with `npy` the array file of its pixels.

    Raises:
        ImageRefused: as `decode_image`; also where `crop` or `size` would enlarge the image.
    """
    wanted = crop or size
    is_untouched = encoding == "jpg" and wanted is None
    if is_untouched and (size_HW := check_plain_jpeg(data, max_pixels=max_pixels)) is not None:
        height, width = size_HW
        return EncodedImage(
            data=data,
            height=height,
            width=width,
            converted=False,
            num_source_pixels=height * width,
        )
    min_side = _OVERSAMPLING * size if crop is None and size is not None else None
    decoded = decode(data, max_pixels=max_pixels, crop=crop, min_side=min_side)
    image_HWC, plain = decoded.image_HWC, decoded.plain
    height, width, _ = image_HWC.shape
    if wanted is not None and min(height, width) < wanted:
        raise ImageRefused("too small", f"{width}x{height} pixels, {wanted} are asked for")
    if plain is None or not is_untouched:
        image_HWC = fit_image(image_HWC, crop, size)
        height, width, _ = image_HWC.shape
        stored = encode_pixels(image_HWC, encoding)
    else:
        stored = plain
    return EncodedImage(
        data=stored,
        height=height,
        width=width,
        converted=plain is None,
        repaired=decoded.is_repaired,
        profile_ignored=decoded.is_profile_ignored,
        far_larger=crop is not None and decoded.num_pixels > _FAR_LARGER * crop**2,
        num_source_pixels=decoded.num_pixels,
    )


def encode_pixels(image_HWC: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """Return the file of a C-contiguous image, as a shard stores it.

    Raises:
        ImageRefused: a JPEG cannot be that large.
    """
    if encoding == "npy":
        return encode_npy(image_HWC)
    height, width, _ = image_HWC.shape
    if max(height, width) > _MAX_JPEG_SIDE:
        detail = f"{width}x{height} pixels, a JPEG has at most {_MAX_JPEG_SIDE:,} a side"
        raise ImageRefused("too large", detail)
    return encode_jpeg(image_HWC)


def encode_npy(image_HWC: NDArray[np.uint8]) -> bytes:
    """Return the array file of a C-contiguous image: 128 bytes of header, then the pixels."""
    height, width, _ = image_HWC.shape
    return _format_npy_header(height, width) + image_HWC.tobytes()


@lru_cache(maxsize=64)
def _format_npy_header(height: int, width: int) -> bytes:
    stream = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)}
    np.lib.format.write_array_header_1_0(stream, described)
    header = stream.getvalue()
    assert len(header) == NPY_HEADER_BYTES
    return header


def check_stored(data: bytes, encoding: Encoding) -> tuple[int, int]:
    """Decode an image as a shard stores it and return its height and width.

    Raises:
        ImageRefused: it is not what `encode_for_shard` writes.
    """
    if encoding == "jpg":
        return check_loadable_jpeg(data)
    height, width, _ = _read_npy(data).shape
    return height, width


def decode_stored(data: bytes, encoding: Encoding) -> NDArray[np.uint8]:
    """Return the pixels of an image as a shard stores it, H x W x 3 uint8, RGB.

    Raises:
        ImageRefused: it is damaged.
    """
    return decode(data, max_pixels=MAX_PIXELS).image_HWC if encoding == "jpg" else _read_npy(data)


def _read_npy(data: bytes) -> NDArray[np.uint8]:
    # Not by numpy.load, which evaluates the header as Python: damaged ones raise half a dozen
    # kinds of errors. What shards hold begins with just these bytes, and loaders skip them.
    header = _NPY_HEADER.fullmatch(data[:NPY_HEADER_BYTES])
    if header is None:
        raise ImageRefused("corrupt", "not a uint8 array of height x width x 3")
    height, width = int(header[1]), int(header[2])
    num_bytes = NPY_HEADER_BYTES + 3 * height * width
    if len(data) != num_bytes:
        raise ImageRefused("corrupt", f"{len(data)} bytes where {num_bytes} belong")
    pixels = np.frombuffer(data, np.uint8, offset=NPY_HEADER_BYTES)
    return pixels.reshape(height, width, 3)


def _crop_centre(image_HWC: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width, _ = image_HWC.shape
    top, left = (height - side) // 2, (width - side) // 2
    return image_HWC[top : top + side, left : left + side]


def _scale(length: int, size: int, short: int) -> int:
    return (2 * length * size + short) // (2 * short)


def encode_jpeg(image_HWC: NDArray[np.uint8]) -> bytes:
    """Return an image, H x W x 3 uint8, RGB, C-contiguous, as a JPEG file of quality 95 without
    chroma subsampling."""
    import simplejpeg

    data: bytes = simplejpeg.encode_jpeg(image_HWC, _JPEG_QUALITY, colorsubsampling="444")
    return data
