"""Rows of a batch from stored images, on threads of the CPU."""

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
from shards import Dataset, ShardsError

from ._config import LoaderConfig
from ._npy import NPY_HEADER_BYTES, make_npy_header

Stored = bytes | NDArray[np.uint8]
"""A member of a shard: a JPEG or an array file."""
Explain = Callable[[int, str], FaceaeError]
"""Makes the error for the image of a row that cannot be decoded, from the row and what is wrong."""

_MARGIN = 5 / 4
"""Pixels to decode for one of the result, at least, before the rest is left to the filter."""

_ROWS_TOGETHER = 8
"""Rows one thread fills at a time: scaled together they take a third of the time of one by one, and
a dozen such parts of a batch keep several threads busy to its end."""


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


class Decoded(NamedTuple):
    """An image on its way to the size asked for."""

    image_HWC: NDArray[np.uint8]
    stored_HW: tuple[int, int]
    """Its size in the shard; `image_HWC` may be a half of it or less."""


class RowDecoder:
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

    def start(
        self, stored: Sequence[Stored], mirrored: NDArray[np.bool_], explain: Explain
    ) -> PendingBatch:
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
            decoded = []
            for row, data in enumerate(stored[part], first):
                try:
                    decoded.append(self._decode(data))
                except ShardsError as error:
                    raise explain(row, str(error)) from error
            _write_fitted(decoded, rows[part])
            mirror_rows(rows[part], mirrored[part])

        starts = range(0, len(stored), num_together)
        return PendingBatch(images_NHWC, [self._threads.submit(fill, first) for first in starts])

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _decode(self, data: Stored) -> Decoded:
        if self._dataset.encoding == "jpg":
            return _decode_scaled(data, self._config.image_size)
        size = self._dataset.image_size
        assert size is not None, "npy is packed at one size"
        if bytes(data[:NPY_HEADER_BYTES]) != make_npy_header(*size):
            raise ShardsError(f"not a picture of {size[1]}x{size[0]} pixels")
        pixels = np.frombuffer(data, np.uint8, offset=NPY_HEADER_BYTES)
        return Decoded(pixels.reshape((*size, 3)), size)


def decode_fitted(data: Stored, side: int) -> NDArray[np.uint8]:
    """Decode a JPEG to side x side x 3, RGB: the picture of `shards.fit_image`, or nearly that.

    Raises:
        ShardsError: it is damaged.
    """
    rows = np.empty((1, side, side, 3), dtype=np.uint8)
    _write_fitted([_decode_scaled(data, side)], rows)
    image_HWC: NDArray[np.uint8] = rows[0]
    return image_HWC


def mirror_rows(rows: NDArray[np.uint8], mirrored: NDArray[np.bool_]) -> None:
    """Turn the N x H x W x 3 pictures that are marked left to right, in their place."""
    for row in np.flatnonzero(mirrored).tolist():
        cv2.flip(rows[row], 1, rows[row])


def _decode_scaled(data: Stored, side: int) -> Decoded:
    """Decode a JPEG to no fewer pixels than a picture of `side` needs.

    One much larger than asked for is not decoded in full: libjpeg-turbo makes k x k pixels of
    each block of 8 x 8, with the smallest k of 1, 2 and 4 that divides the sides evenly and leaves
    a quarter more pixels than asked for. CelebA's 178x218 is halved on its way to 64.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        eighths = _choose_scale(height, width, side)
        image_HWC = simplejpeg.decode_jpeg(
            data, min_height=height * eighths // 8, min_width=width * eighths // 8
        )
    except ValueError as error:
        raise ShardsError(f"damaged: {error}") from error
    return Decoded(image_HWC, (height, width))


def _choose_scale(height: int, width: int, side: int) -> int:
    """Return how many pixels to make of eight. A part of one at the edge would shift the others."""
    for eighths in (1, 2, 4):
        divides = height * eighths % 8 == width * eighths % 8 == 0
        if divides and min(height, width) * eighths >= 8 * _MARGIN * side:
            return eighths
    return 8


def _write_fitted(decoded: Sequence[Decoded], rows: NDArray[np.uint8]) -> None:
    """Write images to `rows`, each of side x side x 3; those of one size are scaled together."""
    side = rows.shape[1]
    rows_of_size: dict[tuple[int, int], list[int]] = {}
    for row, image in enumerate(decoded):
        rows_of_size.setdefault(image.stored_HW, []).append(row)
    for stored_HW, same in rows_of_size.items():
        if stored_HW == (side, side):
            for row in same:
                rows[row] = decoded[row].image_HWC
        else:
            rows[same] = _fit(np.stack([decoded[row].image_HWC for row in same]), side, stored_HW)


def _fit(
    images_NHWC: NDArray[np.uint8], side: int, stored_HW: tuple[int, int]
) -> NDArray[np.uint8]:
    """Do what `shards.fit_image` does, to within two levels, in less time.

    Args:
        stored_HW: size to keep the proportions of, where the images were scaled already.
    """
    short = min(stored_HW)
    scaled = [(2 * length * side + short) // (2 * short) for length in stored_HW]
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    fitted_NCHW = functional.interpolate(images_NCHW, scaled, mode="bicubic", antialias=True)
    top, left = ((length - side) // 2 for length in scaled)
    return fitted_NCHW.permute(0, 2, 3, 1)[:, top : top + side, left : left + side].numpy()
