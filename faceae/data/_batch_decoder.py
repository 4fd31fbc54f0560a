"""Decodes stored images into the rows of a batch, on CPU threads.

Shapes: N images, H and W pixels.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from faceae.errors import FaceaeError
from faceae_shards import Dataset

from ._config import LoaderConfig
from ._npy import make_npy_header

Stored = Sequence[bytes | NDArray[np.uint8]] | NDArray[np.uint8]
"""Files of images from a shard, JPEG or npy. Files of one length may be one array, N x bytes."""
Explain = Callable[[int, str], FaceaeError]
"""Returns the error for an image that cannot be decoded, from its row and the reason."""

_MARGIN = 5 / 4
"""Smallest ratio of decoded to final pixels per side. The filter does the rest of the scaling."""

_ROWS_PER_TASK = 32
"""Most rows that a thread fills per task. Scaling many rows in one call is faster than one by one,
and fewer tasks mean less waiting between threads."""


class DamagedRowError(Exception):
    """An image of a batch that cannot be decoded."""

    def __init__(self, row: int, reason: str):
        """Store the row and the reason."""
        super().__init__(reason)
        self.row = row


class PendingBatch(NamedTuple):
    """A batch that threads are still decoding."""

    images_NHWC: torch.Tensor
    decoders: list[Future[None]]

    def wait(self) -> torch.Tensor:
        """Wait for the images, and return them: N x H x W x 3 uint8, RGB.

        Raises:
            FaceaeError: an image cannot be decoded.
        """
        for decoder in self.decoders:
            decoder.result()
        return self.images_NHWC


class BatchDecoder:
    """Decodes batches of one dataset on `config.num_threads` threads."""

    def __init__(self, dataset: Dataset, config: LoaderConfig, *, pin_memory: bool):
        """Prepare. Threads start with the first batch.

        Args:
            pin_memory: put batches into pinned memory, which a GPU can copy from asynchronously.
        """
        self._dataset = dataset
        self._config = config
        self._pin_memory = pin_memory
        self._threads = ThreadPoolExecutor(config.num_threads, "faceae-decode")

    def start(self, stored: Stored, mirrored: NDArray[np.bool_], explain: Explain) -> PendingBatch:
        """Start to decode a batch.

        Args:
            stored: files of the images.
            mirrored: N bool; rows to mirror left to right.
            explain: makes the error for an image that cannot be decoded.
        """
        side, num_threads = self._config.image_size, self._config.num_threads
        images_NHWC = torch.empty(
            (len(stored), side, side, 3), dtype=torch.uint8, pin_memory=self._pin_memory
        )
        rows = images_NHWC.numpy()
        # Split small batches among all threads, too.
        rows_per_task = min(_ROWS_PER_TASK, -(-len(stored) // num_threads))

        def fill(first: int) -> None:
            part = slice(first, first + rows_per_task)
            try:
                self._write(stored[part], rows[part])
            except DamagedRowError as error:
                raise explain(first + error.row, str(error)) from error
            mirror_rows(rows[part], mirrored[part])

        starts = range(0, len(stored), rows_per_task)
        return PendingBatch(images_NHWC, [self._threads.submit(fill, first) for first in starts])

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _write(self, stored: Stored, rows: NDArray[np.uint8]) -> None:
        if self._dataset.encoding == "jpg":
            write_jpegs(stored, rows)
        else:
            assert self._dataset.image_size is not None, "npy is packed at one size"
            write_arrays(stored, self._dataset.image_size, rows)


def write_arrays(stored: Stored, size: tuple[int, int], rows: NDArray[np.uint8]) -> None:
    """Write npy files of H x W images to `rows`, N x side x side x 3 uint8, RGB.

    Raises:
        DamagedRowError: an image has another size, or its file is truncated.
    """
    header = make_npy_header(*size)
    num_bytes = len(header) + 3 * math.prod(size)
    for row, data in enumerate(stored):
        if len(data) != num_bytes or bytes(data[: len(header)]) != header:
            raise DamagedRowError(row, f"not a picture of {size[1]}x{size[0]} pixels")
    if isinstance(stored, np.ndarray):
        files_NB = stored
    else:
        files_NB = np.stack([np.frombuffer(data, np.uint8) for data in stored])
    rows[:] = _fit(files_NB[:, len(header) :].reshape((-1, *size, 3)), rows.shape[1], size)


def write_jpegs(stored: Stored, rows: NDArray[np.uint8]) -> None:
    """Write JPEGs to `rows`, N x side x side x 3 uint8, RGB, scaled nearly as `fit_image` does.

    Images of one size are scaled in one call, which gives the same pixels as separate calls. Images
    much larger than `side` are not decoded at full size: libjpeg-turbo decodes each block of 8 x 8
    pixels to k x k, with the smallest k of 1, 2 and 4 that divides the sides evenly and leaves at
    least a quarter more pixels per side than needed. CelebA's 178x218 is decoded at half size for
    64x64.

    Raises:
        DamagedRowError: an image cannot be decoded.
    """
    import simplejpeg

    rows_of_size: dict[tuple[int, int], list[int]] = {}
    row = 0
    try:
        for row, data in enumerate(stored):
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            rows_of_size.setdefault((height, width), []).append(row)
    except ValueError as error:
        raise DamagedRowError(row, f"damaged: {error}") from error
    side = rows.shape[1]
    for stored_HW, same_rows in rows_of_size.items():
        eighths = _choose_scale(*stored_HW, side)
        decoded_HW = (stored_HW[0] * eighths // 8, stored_HW[1] * eighths // 8)
        rows[same_rows] = _fit(_decode(stored, same_rows, decoded_HW), side, stored_HW)


def _decode(
    stored: Stored, rows_wanted: list[int], decoded_HW: tuple[int, int]
) -> NDArray[np.uint8]:
    """Decode some of the JPEGs, all of one size, at the scale that gives `decoded_HW`."""
    import simplejpeg

    images_NHWC = np.empty((len(rows_wanted), *decoded_HW, 3), dtype=np.uint8)
    height, width = decoded_HW
    row = 0
    try:
        for image_HWC, row in zip(images_NHWC, rows_wanted, strict=True):
            simplejpeg.decode_jpeg(
                stored[row], min_height=height, min_width=width, buffer=image_HWC
            )
    except ValueError as error:
        raise DamagedRowError(row, f"damaged: {error}") from error
    return images_NHWC


def mirror_rows(rows: NDArray[np.uint8], mirrored: NDArray[np.bool_]) -> None:
    """Mirror the marked images of N x H x W x 3 left to right, in place."""
    for row in np.flatnonzero(mirrored).tolist():
        cv2.flip(rows[row], 1, rows[row])


def _choose_scale(height: int, width: int, side: int) -> int:
    """Return how many pixels to decode per eight. Fractions at an edge would shift the image."""
    for eighths in (1, 2, 4):
        divides = height * eighths % 8 == width * eighths % 8 == 0
        if divides and min(height, width) * eighths >= 8 * _MARGIN * side:
            return eighths
    return 8


def _fit(
    images_NHWC: NDArray[np.uint8], side: int, stored_HW: tuple[int, int]
) -> NDArray[np.uint8]:
    """Scale and crop as `fit_image` does, to within two levels of 255, in less time.

    Args:
        stored_HW: original size, which sets the proportions even if `images_NHWC` are smaller.
    """
    if stored_HW == (side, side):
        return images_NHWC
    short = min(stored_HW)
    scaled = [(2 * length * side + short) // (2 * short) for length in stored_HW]
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    fitted_NCHW = functional.interpolate(images_NCHW, scaled, mode="bicubic", antialias=True)
    top, left = ((length - side) // 2 for length in scaled)
    return fitted_NCHW.permute(0, 2, 3, 1)[:, top : top + side, left : left + side].numpy()
