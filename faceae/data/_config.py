"""Options and interface of a loader."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from faceae.errors import FaceaeError


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """Options of one loader. `num_threads` does not change the batches; all others do.

    Raises:
        FaceaeError: an option is out of its range.
    """

    split: str
    """Part of the dataset: train, valid or test."""
    batch_size: int
    """Images per step on one rank."""
    image_size: int
    """Side of the square images in pixels. Other sizes are scaled nearly as `fit_image` does."""
    training: bool
    """True: a new order each epoch, half of the images mirrored, full batches only. False: stored
    order, every image once over all ranks, the last batches padded."""
    seed: int = 0
    """Seed of order and mirroring; the same on all ranks."""
    rank: int = 0
    world_size: int = 1
    """Number of ranks that share an epoch."""
    num_threads: int = 2
    """Threads that decode images."""

    def __post_init__(self) -> None:
        for name, value, minimum in (
            ("batch_size", self.batch_size, 1),
            ("image_size", self.image_size, 1),
            ("seed", self.seed, 0),
            ("world_size", self.world_size, 1),
            ("num_threads", self.num_threads, 1),
        ):
            if value < minimum:
                raise FaceaeError(f"`{name}` must be at least {minimum}, got {value}")
        if not 0 <= self.rank < self.world_size:
            raise FaceaeError(f"`rank` must be in 0..{self.world_size - 1}, got {self.rank}")


class Batch(NamedTuple):
    """The images of one step on one rank."""

    images: torch.Tensor
    """N x 3 x H x W uint8, RGB, channels-last, on the loader's device. N is the batch size."""
    num_valid: int
    """Number of images that count; the rest is padding. In training always N."""


class Loader(Protocol):
    """Batches of one split, one epoch per iteration. Only one iterator may be in use at a time."""

    num_samples: int
    """Images of the split, over all ranks."""
    steps_per_epoch: int
    """Batches per epoch; the same on every rank."""
    reader: str
    """Name and version of the library that reads, and where it decodes."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the remaining batches of the current epoch. The next epoch follows its last batch.

        Raises:
            FaceaeError: an image cannot be read.
        """

    def state_dict(self) -> dict[str, str | int]:
        """Return the position after the last returned batch, as JSON values."""

    def load_state_dict(self, state: Mapping[str, str | int]) -> None:
        """Go to a saved position. Exactly the same batches follow as after it was saved.

        Raises:
            FaceaeError: the state is damaged, or of another dataset, config or kind of loader.
        """

    def close(self) -> None:
        """Stop the loader's threads. It returns no batches afterwards."""
