"""Packing and reading from Python, with strings for paths."""

from contextlib import closing
from pathlib import Path

import pytest
import torch

import faceae
from faceae_shards import Dataset, ShardsError


def test_pack_and_open(face_folder: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "packed")
    summary = faceae.pack(str(face_folder), out, size=32, workers=1, split=(0.5, 0.25, 0.25))
    assert summary.num_samples == {"train": 24, "valid": 12, "test": 12}
    assert faceae.open_dataset(out).image_size == (32, 32)


def test_pack_refuses_an_option_that_does_not_exist(face_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="sise"):
        faceae.pack(str(face_folder), str(tmp_path / "packed"), sise=32)


def test_pack_names_the_parameter(face_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match="crop"):
        faceae.pack(face_folder, tmp_path / "packed", crop=3)


def test_open_dataset_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match=str(tmp_path)):
        faceae.open_dataset(str(tmp_path))


@pytest.mark.parametrize("as_path", [True, False])
def test_a_loop_of_ones_own(dataset_npy: Dataset, as_path: bool) -> None:
    data = str(dataset_npy.path) if as_path else dataset_npy
    with closing(faceae.open_loader(data, batch_size=8, device="cpu")) as loader:
        batches = list(loader)
    assert len(batches) == 3
    assert all(batch.images.shape == (8, 3, 32, 32) for batch in batches)
    assert batches[0].images.dtype == torch.uint8
    assert batches[0].images.is_contiguous(memory_format=torch.channels_last)


def test_held_out_images_come_once_and_in_order(dataset_npy: Dataset) -> None:
    options = {"split": "valid", "batch_size": 8, "image_size": 16, "device": "cpu"}
    with closing(faceae.open_loader(dataset_npy, **options)) as loader:
        first, second = list(loader), list(loader)
    assert sum(batch.num_valid for batch in first) == 12
    for one, two in zip(first, second, strict=True):
        assert one.num_valid == two.num_valid
        assert torch.equal(one.images[: one.num_valid], two.images[: two.num_valid])
