"""The first images of a split, read from the shards."""

import tarfile
from collections.abc import Callable

import numpy as np
import pytest

from faceae_shards import (
    Dataset,
    PackConfig,
    ShardsError,
    open_dataset,
    pack,
    read_first_images,
    read_names,
)


@pytest.mark.parametrize("count", [1, 17, 100])
def test_images_come_from_as_many_shards_as_it_takes(dataset_npy: Dataset, count: int) -> None:
    images = read_first_images(dataset_npy, "train", count)
    assert len(images) == min(count, dataset_npy.num_samples("train"))
    assert {(image.shape, image.dtype.name) for image in images} == {((32, 32, 3), "uint8")}
    assert len({image.tobytes() for image in images}) == len(images)


def test_both_encodings_hold_the_same_images(dataset_jpg: Dataset, dataset_npy: Dataset) -> None:
    both = (read_first_images(dataset, "valid", 4) for dataset in (dataset_jpg, dataset_npy))
    for stored, exact in zip(*both, strict=True):
        assert np.abs(stored.astype(int) - exact).mean() < 3


def test_a_split_that_is_not_there(dataset_jpg: Dataset) -> None:
    with pytest.raises(ShardsError, match="other"):
        read_first_images(dataset_jpg, "other", 4)


def test_a_damaged_shard_is_named(configure: Callable[..., PackConfig]) -> None:
    dataset = open_dataset(pack(configure()).out)
    tar = dataset.shard_paths("train")[0]
    tar.write_bytes(b"x" * tar.stat().st_size)
    with pytest.raises(ShardsError, match=rf"{tar.name} is damaged"):
        read_first_images(dataset, "train", 1)
    with pytest.raises(ShardsError, match=rf"{tar.name} is damaged"):
        next(read_names(dataset, "train"))


def test_a_shard_without_its_images(configure: Callable[..., PackConfig]) -> None:
    dataset = open_dataset(pack(configure()).out)
    for tar in dataset.shard_paths("train"):
        tarfile.open(tar, "w").close()
    with pytest.raises(ShardsError, match="holds too few images in train"):
        read_first_images(dataset, "train", 1)
