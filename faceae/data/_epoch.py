"""Shares of ranks, steps of an epoch, and the position in it: the base of all loaders."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch

from faceae.errors import FaceaeError
from faceae_shards import Dataset

from ._config import Batch, LoaderConfig

_STATE_VERSION = 1

_SHUFFLE_BUFFER_IMAGES = 4096
"""Packing has shuffled the images, so the buffer only needs to separate neighbours."""

_SHUFFLE_BUFFER_BYTES = 256 * 2**20


class EpochLoader(ABC):
    """Keeps the position in the epochs of one split. Subclasses read the images.

    The share of rank r is a contiguous part of the reading order, from floor(N r / W) to
    floor(N (r + 1) / W) for N images on W ranks. Shares are disjoint, cover all images, and differ
    by one image at most.
    """

    def __init__(self, dataset: Dataset, config: LoaderConfig, device: torch.device, reader: str):
        """Divide the split into shares and steps.

        Args:
            reader: name and version of the library, on which the order also depends.

        Raises:
            FaceaeError: too few images for one batch on each rank.
        """
        self.num_samples = dataset.num_samples(config.split)
        self._dataset = dataset
        self._config = config
        self._device = device
        self.reader = reader
        self._epoch = 0
        self._step = 0
        global_batch = config.batch_size * config.world_size
        self._check_num_samples(global_batch)
        self._steps_with_padding = -(-self.num_samples // global_batch)
        self.steps_per_epoch = (
            self.num_samples // global_batch if config.training else self._steps_with_padding
        )

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self._step, self.steps_per_epoch):
            images = self._read_batch()
            # Counted before it is returned: a state saved meanwhile must lie after this batch.
            self._advance()
            yield Batch(images, self._count_valid(step))

    def state_dict(self) -> dict[str, str | int]:
        """Return the position as JSON values; see `Loader`."""
        return {**self._identity(), "epoch": self._epoch, "step": self._step, **self._save_reader()}

    def load_state_dict(self, state: Mapping[str, str | int]) -> None:
        """Go to a saved position; see `Loader`.

        Raises:
            FaceaeError: the state is damaged, or of another dataset, config or kind of loader.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise FaceaeError(
                    f"the saved position in the data has {name} {state.get(name)!r}, this run "
                    f"has {value!r}; continue with what it was saved with, or start a new run"
                )
        try:
            epoch, step = int(state["epoch"]), int(state["step"])
            if epoch < 0 or not 0 <= step < self.steps_per_epoch:
                raise ValueError(f"epoch {epoch}, step {step}")
            self._restore_reader(state, epoch, step)
        except (KeyError, TypeError, ValueError) as error:
            raise FaceaeError(
                f"the saved position in the data is damaged ({error}); use an older checkpoint or "
                "start a new run"
            ) from error
        self._epoch, self._step = epoch, step

    @abstractmethod
    def close(self) -> None:
        """Stop the loader's threads."""

    @abstractmethod
    def _read_batch(self) -> torch.Tensor:
        """Return the next images, N x 3 x H x W uint8, channels-last."""

    @abstractmethod
    def _save_reader(self) -> dict[str, str | int]:
        """Return the subclass's state besides epoch and step."""

    @abstractmethod
    def _restore_reader(self, state: Mapping[str, str | int], epoch: int, step: int) -> None:
        """Go to a saved position. Raises ValueError or KeyError if `state` is damaged."""

    def _share(self) -> tuple[int, int]:
        """Return this rank's share of the reading order: first image, and one past the last."""
        rank, world_size = self._config.rank, self._config.world_size
        return (
            self.num_samples * rank // world_size,
            self.num_samples * (rank + 1) // world_size,
        )

    def _count_buffer(self) -> int:
        """Return the size of this rank's shuffle buffer in images."""
        split_bytes = sum(shard.num_bytes for shard in self._dataset.splits[self._config.split])
        fitting = max(1, _SHUFFLE_BUFFER_BYTES * self.num_samples // split_bytes)
        return min(
            _SHUFFLE_BUFFER_IMAGES, fitting, max(1, self.num_samples // self._config.world_size)
        )

    def _count_valid(self, step: int) -> int:
        batch_size = self._config.batch_size
        first, stop = self._share()
        return min(batch_size, max(0, stop - first - step * batch_size))

    def _advance(self) -> None:
        self._step += 1
        if self._step == self.steps_per_epoch:
            self._epoch, self._step = self._epoch + 1, 0

    def _identity(self) -> dict[str, str | int]:
        config = asdict(self._config)
        del config["num_threads"]
        return {
            "version": _STATE_VERSION,
            "reader": self.reader,
            "dataset": self._dataset.hash,
            **config,
        }

    def _check_num_samples(self, global_batch: int) -> None:
        config = self._config
        where = f"split {config.split!r} of {self._dataset.path} has {self.num_samples} images"
        if config.training and self.num_samples < global_batch:
            raise FaceaeError(
                f"{where}, fewer than one batch of {config.batch_size} on each of "
                f"{config.world_size} rank(s); lower `batch_size`"
            )
        if self.num_samples < config.world_size:
            raise FaceaeError(f"{where} for {config.world_size} ranks; start fewer of them")
