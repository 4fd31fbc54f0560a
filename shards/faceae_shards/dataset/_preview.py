"""The first images of a split, for a person to look at."""

import itertools
import tarfile
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .._errors import ShardsError
from ..images import decode_stored
from ..storage import open_storage
from ._dataset import Dataset
from ._tar import group_members


def read_first_images(dataset: Dataset, split: str, count: int) -> list[NDArray[np.uint8]]:
    """Return the first images of a split as stored, H x W x 3 uint8, RGB, each of its own size.

    Packed images are stored in random order. Only the shards that hold the images are read; those
    of a remote dataset are downloaded and not kept.

    Raises:
        ShardsError: the split has no samples, or a shard is damaged.
    """
    dataset.num_samples(split)  # raises where there is no such split
    images = list(itertools.islice(_read_images(dataset, split), count))
    if len(images) < min(count, dataset.num_samples(split)):
        raise ShardsError(f"{dataset.location} holds too few images in {split}; {dataset.remedy}")
    return images


def _read_images(dataset: Dataset, split: str) -> Iterator[NDArray[np.uint8]]:
    storage = open_storage(dataset.location)
    for shard in dataset.splits[split]:
        with storage.local_copy(shard.name) as tar:
            try:
                for _, members in group_members(tar):
                    for member in members:
                        if member.extension == dataset.encoding:
                            yield decode_stored(member.data, dataset.encoding)
            except (tarfile.TarError, ShardsError) as error:
                raise ShardsError(
                    f"{storage.locate(shard.name)} is damaged ({error}); {dataset.remedy}"
                ) from error
