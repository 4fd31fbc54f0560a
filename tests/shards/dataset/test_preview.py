"""The first images of a split, read from the shards."""

import numpy as np
import pytest

from faceae_shards import Dataset, ShardsError, read_first_images


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
