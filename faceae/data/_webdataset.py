"""A loader that uses webdataset to read shards, and libjpeg-turbo to decode."""

import random
import tarfile
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import webdataset
from numpy.typing import NDArray
from webdataset.tariterators import group_by_keys, tar_file_expander

from faceae.errors import FaceaeError
from faceae_shards import Dataset, count_of

from ._batch_decoder import BatchDecoder, PendingBatch
from ._config import LoaderConfig
from ._epoch import EpochLoader

_PREFETCH_BATCHES = 3
"""Batches read in advance."""

Sample = dict[str, Any]
"""A sample of webdataset: `__key__`, `__url__` (path of the tar) and bytes by suffix."""


class _StoredBatch(NamedTuple):
    samples: list[Sample]
    mirrored: NDArray[np.bool_]


class WebDatasetLoader(EpochLoader):
    """Batches read by webdataset; see `Loader`.

    One thread reads in advance, beyond the end of an epoch; `num_threads` threads decode. To go to
    a saved position, the loader reads the shards of the epoch up to it without decoding.
    """

    def __init__(self, dataset: Dataset, config: LoaderConfig, device: torch.device):
        """Prepare. Threads start with the first batch.

        Raises:
            FaceaeError: the split is too small.
        """
        super().__init__(dataset, config, device, f"webdataset {webdataset.__version__}")
        self._stored_batches = self._iter_stored(epoch=0, step=0)
        self._pending: deque[Future[PendingBatch]] = deque()
        self._reader_thread = ThreadPoolExecutor(1, "faceae-read")
        self._decoder = BatchDecoder(dataset, config, pin_memory=device.type == "cuda")

    def close(self) -> None:
        """Stop the threads and close the shard being read."""
        self._drop_pending()
        self._reader_thread.shutdown()
        self._decoder.close()

    def _read_batch(self) -> torch.Tensor:
        while len(self._pending) <= _PREFETCH_BATCHES:
            self._pending.append(self._reader_thread.submit(self._start_batch))
        images_NHWC = self._pending.popleft().result().wait()
        # Copies from pinned memory to a GPU; torch keeps it until the copy is done.
        return images_NHWC.permute(0, 3, 1, 2).to(self._device, non_blocking=True)

    def _save_reader(self) -> dict[str, str | int]:
        return {}

    def _restore_reader(self, state: Mapping[str, str | int], epoch: int, step: int) -> None:
        self._drop_pending()
        self._stored_batches = self._iter_stored(epoch, step)

    def _drop_pending(self) -> None:
        for batch in self._pending:
            batch.cancel()
        # A generator cannot be closed while the reader thread runs it.
        wait(self._pending)
        self._pending.clear()
        self._stored_batches.close()

    def _start_batch(self) -> PendingBatch:
        """Read the next batch, and start to decode it. Runs in the reader thread."""
        samples, mirrored = next(self._stored_batches)

        def explain(row: int, what: str) -> FaceaeError:
            return self._damaged(samples[row]["__url__"], f"{samples[row]['__key__']}: {what}")

        encoding = self._dataset.encoding
        return self._decoder.start([sample[encoding] for sample in samples], mirrored, explain)

    def _iter_stored(self, epoch: int, step: int) -> Generator[_StoredBatch, None, None]:
        """Yield undecoded batches from a position, epoch after epoch, without end."""
        batch_size = self._config.batch_size
        first, stop = self._share()
        while True:
            # Never skip the last image of the share, since padding repeats it.
            num_skipped = min(step * batch_size, stop - first - 1)
            samples = islice(self._iter_share(epoch), num_skipped, None)
            batch = list(islice(samples, step * batch_size - num_skipped))
            for current in range(step, self.steps_per_epoch):
                # Padding repeats the last image, even in a batch that is all padding.
                last = batch[-1:]
                batch = list(islice(samples, batch_size))
                batch += (batch[-1:] or last) * (batch_size - len(batch))
                yield _StoredBatch(batch, self._draw_mirrored(epoch, current))
            epoch, step = epoch + 1, 0

    def _draw_mirrored(self, epoch: int, step: int) -> NDArray[np.bool_]:
        config = self._config
        if not config.training:
            return np.zeros(config.batch_size, dtype=np.bool_)
        rng = np.random.default_rng([config.seed, epoch, step, config.rank])
        return rng.random(config.batch_size) < 0.5

    def _iter_share(self, epoch: int) -> Iterator[Sample]:
        """Yield this rank's samples of an epoch, in the order of training or as stored."""
        config = self._config
        first, stop = self._share()
        paths = self._dataset.shard_paths(config.split)
        counts = [shard.num_samples for shard in self._dataset.splits[config.split]]
        order = np.arange(len(paths))
        if config.training:
            # All ranks shuffle alike, so that their shares are disjoint.
            np.random.default_rng([config.seed, epoch]).shuffle(order)
        samples = self._iter_run([(paths[i], counts[i]) for i in order], first, stop)
        if not config.training:
            return samples
        num_buffered = self._count_buffer()
        rng = random.Random(f"{config.seed} {epoch} {config.rank}")
        shuffled: Iterator[Sample] = iter(
            webdataset.shuffle(num_buffered, initial=num_buffered, rng=rng)(samples)
        )
        return shuffled

    def _iter_run(self, shards: list[tuple[Path, int]], first: int, stop: int) -> Iterator[Sample]:
        """Yield samples `first` to `stop` of shards one after another."""
        for path, num_samples in shards:
            if first < num_samples and stop > 0:
                yield from islice(self._iter_shard(path, num_samples), max(0, first), stop)
            first, stop = first - num_samples, stop - num_samples

    def _iter_shard(self, path: Path, num_samples: int) -> Iterator[Sample]:
        suffix = f".{self._dataset.encoding}"
        num_read = 0
        try:
            with path.open("rb") as stream:
                members = tar_file_expander(
                    [{"url": str(path), "stream": stream}],
                    select_files=lambda name: name.endswith(suffix),
                )
                for sample in group_by_keys(members):
                    num_read += 1
                    yield sample
        except (tarfile.TarError, ValueError) as error:
            # webdataset appends the stream to the message.
            raise self._damaged(path, str(error.args[0]).split(" @ ")[0]) from error
        # webdataset does not notice that a tar is truncated.
        if num_read != num_samples:
            raise self._damaged(
                path, f"{count_of(num_read, 'image')} where {num_samples} were packed"
            )

    def _damaged(self, shard: Path | str, what: str) -> FaceaeError:
        return FaceaeError(f"{shard}: {what}; run `faceae verify {self._dataset.path}`")
