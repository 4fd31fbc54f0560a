"""Rows of a batch from stored images, on threads of the CPU."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from torch.nn import functional

from faceae.errors import FaceaeError
from faceae_shards import Dataset

from ._config import LoaderConfig
from ._npy import make_npy_header

Stored = Sequence[bytes | NDArray[np.uint8]] | NDArray[np.uint8]
"""Members of a shard, JPEGs or array files; of one length also as one array, N x bytes."""
Explain = Callable[[int, str], FaceaeError]
"""Makes the error for the image of a row that cannot be decoded, from the row and what is wrong."""

_MARGIN = 5 / 4
"""Pixels to decode for one of the result, at least, before the rest is left to the filter."""

_ROWS_TOGETHER = 32
"""Rows one thread fills at a time, at most: scaled together they take less time than one by one,
and threads that meet seldom wait little for each other."""


class DamagedRowError(Exception):
    """An image of a batch that cannot be decoded."""

    def __init__(self, row: int, what: str):
        """Tell which one, and what is wrong with it."""
        super().__init__(what)
        self.row = row


class PendingBatch(NamedTuple):
    """A batch whose rows threads are filling in."""

    images_NHWC: torch.Tensor
    decoders: list[Future[None]]

    def wait(self) -> torch.Tensor:
        """Return N x H x W x 3 uint8 images when all are there.

        Raises:
            FaceaeError: an image cannot be decoded.
        """
        for decoder in self.decoders:
            decoder.result()
        return self.images_NHWC


class BatchDecoder:
    """Decodes batches of one dataset on `num_threads` threads."""

    def __init__(self, dataset: Dataset, config: LoaderConfig, *, pin_memory: bool):
        """Prepare; threads start with the first batch.

        Args:
            pin_memory: put batches where a GPU can fetch them from.
        """
        self._dataset = dataset
        self._config = config
        self._pin_memory = pin_memory
        self._threads = ThreadPoolExecutor(config.num_threads, "faceae-decode")

    def start(self, stored: Stored, mirrored: NDArray[np.bool_], explain: Explain) -> PendingBatch:
        """Begin to decode a batch; rows that `mirrored` marks are turned left to right."""
        side, num_threads = self._config.image_size, self._config.num_threads
        images_NHWC = torch.empty(
            (len(stored), side, side, 3), dtype=torch.uint8, pin_memory=self._pin_memory
        )
        rows = images_NHWC.numpy()
        # A small batch is work for all threads, too.
        num_together = min(_ROWS_TOGETHER, -(-len(stored) // num_threads))

        def fill(first: int) -> None:
            part = slice(first, first + num_together)
            try:
                self._write(stored[part], rows[part])
            except DamagedRowError as error:
                raise explain(first + error.row, str(error)) from error
            mirror_rows(rows[part], mirrored[part])

        starts = range(0, len(stored), num_together)
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
    """Write array files of H x W pictures to `rows`, N x side x side x 3.

    Raises:
        DamagedRowError: one is of another size, or cut.
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
    """Write JPEGs to `rows`, N x side x side x 3, RGB: as `fit_image` does, or nearly so.

    Those of one size are scaled together, which gives each the same pixels as alone. One much
    larger than asked for is not decoded in full: libjpeg-turbo makes k x k pixels of each block of
    8 x 8, with the smallest k of 1, 2 and 4 that divides the sides evenly and leaves a quarter more
    pixels than asked for. CelebA's 178x218 is halved on its way to 64.

    Raises:
        DamagedRowError: one cannot be decoded.
    """
    rows_of_size: dict[tuple[int, int], list[int]] = {}
    row = 0
    try:
        for row, data in enumerate(stored):
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            rows_of_size.setdefault((height, width), []).append(row)
    except ValueError as error:
        raise DamagedRowError(row, f"damaged: {error}") from error
    side = rows.shape[1]
    for stored_HW, same in rows_of_size.items():
        eighths = _choose_scale(*stored_HW, side)
        decoded_HW = (stored_HW[0] * eighths // 8, stored_HW[1] * eighths // 8)
        rows[same] = _fit(_decode(stored, same, decoded_HW), side, stored_HW)


def _decode(
    stored: Stored, rows_wanted: list[int], decoded_HW: tuple[int, int]
) -> NDArray[np.uint8]:
    """Decode some of the JPEGs, all of one size, at the scale that makes them `decoded_HW`."""
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
    """Turn the N x H x W x 3 pictures that are marked left to right, in their place."""
    for row in np.flatnonzero(mirrored).tolist():
        cv2.flip(rows[row], 1, rows[row])


def _choose_scale(height: int, width: int, side: int) -> int:
    """Return how many pixels to make of eight. A part of one at the edge would shift the others."""
    for eighths in (1, 2, 4):
        divides = height * eighths % 8 == width * eighths % 8 == 0
        if divides and min(height, width) * eighths >= 8 * _MARGIN * side:
            return eighths
    return 8


def _fit(
    images_NHWC: NDArray[np.uint8], side: int, stored_HW: tuple[int, int]
) -> NDArray[np.uint8]:
    """Do what `fit_image` does, to within two levels, in less time.

    Args:
        stored_HW: size to keep the proportions of, where the images were scaled already.
    """
    if stored_HW == (side, side):
        return images_NHWC
    short = min(stored_HW)
    scaled = [(2 * length * side + short) // (2 * short) for length in stored_HW]
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    fitted_NCHW = functional.interpolate(images_NCHW, scaled, mode="bicubic", antialias=True)
    top, left = ((length - side) // 2 for length in scaled)
    return fitted_NCHW.permute(0, 2, 3, 1)[:, top : top + side, left : left + side].numpy()
