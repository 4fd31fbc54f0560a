"""What a loader is asked for and what it gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from faceae.errors import FaceaeError


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """Options of one loader. All but `num_threads` decide which batches come.

    Raises:
        FaceaeError: an option out of its range.
    """

    split: str
    """Part of the dataset: train, valid or test."""
    batch_size: int
    """Images a step on one rank."""
    image_size: int
    """Pixels; side of the square images. Others are scaled nearly as `fit_image` does."""
    training: bool
    """True: shuffled anew each epoch, half of the images mirrored, full batches only.
    False: stored order, every image once over all ranks, the last batches padded."""
    seed: int = 0
    """Of order and mirroring; the same on all ranks."""
    rank: int = 0
    world_size: int = 1
    """Number of ranks that share an epoch."""
    num_threads: int = 2
    """Threads that decode; the batches do not depend on it."""

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
    """Images to count; what follows them is padding. In training always N."""


class Loader(Protocol):
    """Batches of one split, epoch after epoch. Only one iterator may be in use at a time."""

    num_samples: int
    """Images of the split, over all ranks."""
    steps_per_epoch: int
    """Batches an epoch; the same on every rank."""
    reader: str
    """The library that reads, its version, and where it decodes."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch; after its last batch the next one is current.

        Raises:
            FaceaeError: an image that cannot be read.
        """

    def state_dict(self) -> dict[str, str | int]:
        """Return the place after the last batch that was handed out, as plain JSON values."""

    def load_state_dict(self, state: Mapping[str, str | int]) -> None:
        """Go to a saved place; the batches that follow are those that followed it then, exactly.

        Raises:
            FaceaeError: the state is damaged, or of another dataset, config or kind of loader.
        """

    def close(self) -> None:
        """Stop the loader's threads; it gives no batches afterwards."""
