"""A loader that holds a training split in memory."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from faceae_shards import Dataset

from ._batch_decoder import mirror_rows
from ._config import Loader, LoaderConfig
from ._epoch import EpochLoader


def count_cached_bytes(dataset: Dataset, split: str, image_size: int) -> int:
    """Return the bytes that all images of a split need in a cache."""
    return dataset.num_samples(split) * 3 * image_size**2


class CachedLoader(EpochLoader):
    """Training batches from this rank's share of the split in memory, uint8; see `Loader`.

    The first batch waits until the whole share has been read, in stored order. Each epoch is a
    permutation of the share and a choice of mirrored images, both drawn from the seed, the epoch
    and the rank. A saved state therefore needs only epoch and step.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: LoaderConfig,
        device: torch.device,
        *,
        on_device: bool,
        open_reader: Callable[[], Loader],
    ):
        """Prepare. Reading starts with the first batch.

        Args:
            on_device: hold the share in the memory of `device`. False: in host memory.
            open_reader: opens a loader of the same share in stored order.

        Raises:
            FaceaeError: the split is too small.
        """
        place = "vram" if on_device else "ram"
        super().__init__(dataset, config, device, f"{place} cache, numpy {np.__version__}")
        self._place = device if on_device else torch.device("cpu")
        self._open_reader = open_reader
        self._images_NHWC: torch.Tensor | None = None
        self._order = torch.empty(0, dtype=torch.int64)
        self._mirrored = torch.empty(0, dtype=torch.bool)
        self._drawn_epoch: int | None = None

    def close(self) -> None:
        """Free the memory. Batches already returned stay valid."""
        self._images_NHWC = None

    def _read_batch(self) -> torch.Tensor:
        if self._images_NHWC is None:
            self._images_NHWC = self._fill()
        if self._drawn_epoch != self._epoch:
            self._draw()
        batch_size = self._config.batch_size
        rows = slice(self._step * batch_size, (self._step + 1) * batch_size)
        batch_NHWC = torch.empty(
            (batch_size, *self._images_NHWC.shape[1:]),
            dtype=torch.uint8,
            device=self._place,
            pin_memory=self._place != self._device,
        )
        torch.index_select(self._images_NHWC, 0, self._order[rows], out=batch_NHWC)
        if self._device.type == "cpu":
            mirror_rows(batch_NHWC.numpy(), self._mirrored[rows].numpy())
            return batch_NHWC.permute(0, 3, 1, 2)
        # Copies from pinned memory, which torch keeps alive; does nothing if already on the device.
        batch_NHWC = batch_NHWC.to(self._device, non_blocking=True)
        mirrored = self._mirrored[rows].reshape(-1, 1, 1, 1)
        return torch.where(mirrored, batch_NHWC.flip(2), batch_NHWC).permute(0, 3, 1, 2)

    def _fill(self) -> torch.Tensor:
        first, stop = self._share()
        side = self._config.image_size
        images_NHWC = torch.empty(
            (stop - first, side, side, 3), dtype=torch.uint8, device=self._place
        )
        reader = self._open_reader()
        num_read = 0
        try:
            for images, num_valid in reader:
                read_NHWC = images[:num_valid].permute(0, 2, 3, 1)
                images_NHWC[num_read : num_read + num_valid] = read_NHWC
                num_read += num_valid
        finally:
            reader.close()
        assert num_read == stop - first
        return images_NHWC

    def _draw(self) -> None:
        """Draw the order and the mirroring of the current epoch."""
        config = self._config
        first, stop = self._share()
        rng = np.random.default_rng([config.seed, self._epoch, config.rank])
        order = torch.from_numpy(rng.permutation(stop - first))
        mirrored = torch.from_numpy(rng.random(stop - first) < 0.5)
        self._order = order.to(self._place)
        self._mirrored = mirrored.to(self._device)
        self._drawn_epoch = self._epoch

    def _save_reader(self) -> dict[str, str | int]:
        return {}

    def _restore_reader(self, state: Mapping[str, str | int], epoch: int, step: int) -> None:
        """Do nothing: epoch and step are the whole state."""
