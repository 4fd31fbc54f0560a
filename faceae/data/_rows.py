"""Rows of a batch from stored images, on threads of the CPU."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

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

        def decode_from(first: int) -> None:
            for row in range(first, len(stored), num_threads):
                try:
                    image_HWC = self._decode(stored[row])
                except ShardsError as error:
                    raise explain(row, str(error)) from error
                rows[row] = image_HWC[:, ::-1] if mirrored[row] else image_HWC

        decoders = [self._threads.submit(decode_from, first) for first in range(num_threads)]
        return PendingBatch(images_NHWC, decoders)

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _decode(self, data: Stored) -> NDArray[np.uint8]:
        side = self._config.image_size
        if self._dataset.encoding == "jpg":
            return decode_fitted(data, side)
        image_HWC = self._view_npy(data)
        return image_HWC if image_HWC.shape[:2] == (side, side) else _fit(image_HWC.copy(), side)

    def _view_npy(self, data: Stored) -> NDArray[np.uint8]:
        size = self._dataset.image_size
        assert size is not None, "npy is packed at one size"
        if bytes(data[:NPY_HEADER_BYTES]) != make_npy_header(*size):
            raise ShardsError(f"not a picture of {size[1]}x{size[0]} pixels")
        pixels = np.frombuffer(data, np.uint8, offset=NPY_HEADER_BYTES)
        return pixels.reshape((*size, 3))


def decode_fitted(data: Stored, side: int) -> NDArray[np.uint8]:
    """Decode a JPEG to side x side x 3, RGB: the picture of `shards.fit_image`, or nearly that.

    A JPEG much larger than asked for is not decoded in full: libjpeg-turbo makes k x k pixels of
    each block of 8 x 8, with the smallest k of 1, 2 and 4 that divides the sides evenly and leaves
    a quarter more pixels than asked for. CelebA's 178x218 is halved on its way to 64.

    Raises:
        ShardsError: it is damaged.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        eighths = _choose_scale(height, width, side)
        image_HWC = simplejpeg.decode_jpeg(
            data, min_height=height * eighths // 8, min_width=width * eighths // 8
        )
    except ValueError as error:
        raise ShardsError(f"damaged: {error}") from error
    if (height, width) == (side, side):
        return image_HWC  # type: ignore[no-any-return]
    return _fit(image_HWC, side, (height, width))


def _choose_scale(height: int, width: int, side: int) -> int:
    """Return how many pixels to make of eight. A part of one at the edge would shift the others."""
    for eighths in (1, 2, 4):
        divides = height * eighths % 8 == width * eighths % 8 == 0
        if divides and min(height, width) * eighths >= 8 * _MARGIN * side:
            return eighths
    return 8


def _fit(
    image_HWC: NDArray[np.uint8], side: int, stored_HW: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Do what `shards.fit_image` does, to within two levels, in less time.

    Args:
        stored_HW: size to keep the proportions of, where the image was scaled already.
    """
    height, width = stored_HW or image_HWC.shape[:2]
    short = min(height, width)
    scaled = [(2 * length * side + short) // (2 * short) for length in (height, width)]
    image_1CHW = torch.from_numpy(image_HWC).permute(2, 0, 1).unsqueeze(0)
    fitted_1CHW = functional.interpolate(image_1CHW, scaled, mode="bicubic", antialias=True)
    top, left = ((length - side) // 2 for length in scaled)
    return fitted_1CHW[0, :, top : top + side, left : left + side].permute(1, 2, 0).numpy()
