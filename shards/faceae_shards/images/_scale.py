"""Scaling by the bicubic filter, which averages over the source pixels that it covers.

cykooz-resizer filters first along columns, then along rows, in integers: the result is the same on
all processors. It is several times as fast as Pillow. It has no wheels for Linux on ARM;
there, Pillow applies the same filter in the same order, and three values in a thousand differ by
one level.
"""

import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

try:
    import cykooz_resizer
except ImportError:
    cykooz_resizer = None

_per_thread = threading.local()


def find_resizer() -> str | None:
    """Return the version of cykooz-resizer, or None where Pillow stands in for it."""
    try:
        return version("cykooz-resizer")
    except PackageNotFoundError:
        return None


def scale_image(image_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the image scaled to `height` x `width` x 3 uint8, RGB."""
    if cykooz_resizer is None:
        return _scale_with_pillow(image_HWC, width, height)
    rgb = cykooz_resizer.PixelType.U8x3
    source = cykooz_resizer.ImageData(*image_HWC.shape[1::-1], rgb, image_HWC.tobytes())
    scaled = cykooz_resizer.ImageData(width, height, rgb)
    resizer, options = _get_resizer()
    resizer.resize(source, scaled, options)
    return np.frombuffer(scaled.get_buffer(), np.uint8).reshape(height, width, 3).copy()


def _get_resizer() -> tuple[Any, Any]:
    """Return the resizer of this thread and its options. A resizer holds buffers."""
    if not hasattr(_per_thread, "resizer"):
        bicubic = cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.catmull_rom)
        options = cykooz_resizer.ResizeOptions(resize_alg=bicubic, use_alpha=False)
        _per_thread.resizer = cykooz_resizer.Resizer(), options
    pair: tuple[Any, Any] = _per_thread.resizer
    return pair


def _scale_with_pillow(image_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    image = Image.fromarray(image_HWC)
    columns = image.resize((image.width, height), Image.Resampling.BICUBIC)
    return np.array(columns.resize((width, height), Image.Resampling.BICUBIC))
