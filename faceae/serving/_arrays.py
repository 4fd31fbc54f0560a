"""NumPy's .npy format, read without trust, and arrays as the inputs of a task."""

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._problem import Problem

_MAX_HEADER = 4096
_KINDS = "biuf"
"""Kinds of dtypes that hold numbers."""
_ROUNDING = 1e-3


def read_npy(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file that holds numbers.

    Nothing is allocated before the header and the size of the data agree. Pickles are refused.

    Raises:
        Problem: it is not such a file.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read_header(stream, max_header_size=_MAX_HEADER)
    except Exception as error:  # NumPy evaluates the header, and raises what that raises
        raise Problem(400, "the body is not a .npy file that NumPy can read") from error
    if dtype.kind not in _KINDS:
        raise Problem(400, f"the .npy file must hold numbers, got the dtype {dtype}")
    start = stream.tell()
    expected = math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or len(data) - start != expected:
        raise Problem(
            400,
            f"the .npy file of shape {shape} and dtype {dtype} must hold {expected} bytes of "
            f"data, got {len(data) - start}",
        )
    array = np.frombuffer(data, dtype, offset=start)
    # A copy, because torch takes no read-only arrays.
    return array.reshape(shape, order="F" if is_fortran else "C").copy()


@lru_cache(256)
def write_npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the start of a .npy file; the data in C order follows."""
    stream = io.BytesIO()
    header = {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False}
    np.lib.format.write_array_header_1_0(stream, {**header, "shape": shape})
    return stream.getvalue()


def write_npy(array: NDArray[Any]) -> bytes:
    """Return an array as a .npy file."""
    return write_npy_header(array.dtype.name, array.shape) + np.ascontiguousarray(array).tobytes()


def to_array(value: Any, name: str) -> NDArray[Any]:
    """Return nested lists of numbers from JSON as an array.

    Raises:
        Problem: they hold something else, or are not rectangular.
    """
    try:
        array = np.array(value)
    except ValueError:
        raise Problem(422, f"`{name}`: the lists have different lengths") from None
    if array.dtype.kind not in "iuf":
        raise Problem(422, f"`{name}` must hold numbers only")
    return array


def to_images(array: NDArray[Any], size: int) -> tuple[list[NDArray[np.uint8]], bool]:
    """Return the images of an array, each H x W x 3 uint8, and whether it was a float tensor.

    Args:
        array: N x H x W x 3 or H x W x 3, integers from 0 to 255; or a float tensor in [-1, 1],
            N x 3 x size x size.

    Raises:
        Problem: another shape, dtype or range.
    """
    if array.dtype.kind in "iu" and array.ndim in (3, 4) and array.shape[-1] == 3 and array.size:
        if array.dtype != np.uint8 and (array.min() < 0 or array.max() > 255):
            raise Problem(422, "`images`: pixels must be from 0 to 255")
        images = array.astype(np.uint8, copy=False)
        return list(images if images.ndim == 4 else images[None]), False
    if array.dtype.kind == "f" and array.ndim == 4 and array.shape[1:] == (3, size, size):
        # A maximum that is not a number fails the comparison too.
        if not np.abs(array).max(initial=0) <= 1 + _ROUNDING:
            raise Problem(422, "`images`: a float tensor must hold values in [-1, 1]")
        return list(to_pixels(array.astype(np.float32))), True
    raise Problem(
        422,
        f"`images` must be N x H x W x 3 integers from 0 to 255, or floats in [-1, 1] of the shape "
        f"N x 3 x {size} x {size}, got {array.dtype} {array.shape}",
    )


def to_pixels(faces: NDArray[Any]) -> NDArray[np.uint8]:
    """Return faces as N x S x S x 3 uint8.

    Args:
        faces: N x S x S x 3 uint8, or N x 3 x S x S float32 in [-1, 1].
    """
    if faces.dtype == np.uint8:
        return faces
    pixels = np.rint((faces + 1) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def to_latents(array: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Return latents, N x size float32.

    Raises:
        Problem: another shape, or values that are not finite as float32.
    """
    rows = array[None] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] != size:
        raise Problem(422, f"`latents` must have the shape N x {size}, got {array.shape}")
    with np.errstate(over="ignore"):
        latents = np.ascontiguousarray(rows, np.float32)
    if not np.isfinite(latents).all():
        raise Problem(422, "`latents` must be finite numbers")
    return latents
