"""The descriptions of a split, in the order of its images."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from faceae_shards import (
    Dataset,
    ShardsError,
    adopt,
    decode_image,
    encode_jpeg,
    fit_image,
    read_descriptions,
    read_first_images,
    read_names,
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


def test_names_are_those_of_the_packed_files(dataset_npy: Dataset) -> None:
    described = read_descriptions(dataset_npy, "train")
    assert list(read_names(dataset_npy, "train")) == [fields["name"] for fields in described]


def test_samples_of_other_tools_are_named_by_keys_and_faces_by_numbers(tmp_path: Path) -> None:
    picture = encode_jpeg(np.zeros((64, 64, 3), np.uint8))
    with tarfile.open(tmp_path / "train-0.tar", "w") as tar:
        for name, data in (
            ("first.jpg", picture),
            ("second.jpg", picture),
            ("second.json", b'{"name": "group.jpg", "face": 1}'),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    dataset = adopt(tmp_path, workers=1)
    assert list(read_names(dataset, "train")) == ["first", "group.jpg (face 1)"]


def test_a_split_that_is_not_there(dataset_jpg: Dataset) -> None:
    with pytest.raises(ShardsError, match="other"):
        list(read_descriptions(dataset_jpg, "other"))
