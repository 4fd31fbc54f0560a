"""The descriptions of a split, in the order of its images."""

from pathlib import Path

import numpy as np
import pytest

from faceae_shards import (
    Dataset,
    ShardsError,
    decode_image,
    fit_image,
    read_descriptions,
    read_first_images,
)


def test_descriptions_come_in_the_order_of_the_images(
    dataset_npy: Dataset, face_folder: Path
) -> None:
    described = list(read_descriptions(dataset_npy, "train"))
    images = read_first_images(dataset_npy, "train", 24)
    assert len(described) == len(images) == 24
    for fields, image in zip(described, images, strict=True):
        photograph = decode_image((face_folder / fields["name"]).read_bytes())
        assert np.array_equal(fit_image(photograph, None, 32), image)


def test_a_split_that_is_not_there(dataset_jpg: Dataset) -> None:
    with pytest.raises(ShardsError, match="other"):
        list(read_descriptions(dataset_jpg, "other"))
