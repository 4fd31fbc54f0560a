"""The two loaders give the same pictures."""

from pathlib import Path

import pytest
import torch

import shards
from faceae.data import LoaderConfig, make_loader

pytest.importorskip("nvidia.dali")


def read_both(dataset: shards.Dataset, image_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All training images in stored order, by DALI and by webdataset, as int32."""
    config = LoaderConfig(
        split="train",
        batch_size=dataset.num_samples("train"),
        image_size=image_size,
        training=False,
    )
    images = []
    for kind in ("dali", "webdataset"):
        loader = make_loader(kind, dataset, config, torch.device("cpu"))
        (batch,) = loader
        images.append(batch.images.int())
        loader.close()
    return images[0], images[1]


def test_arrays_at_their_size_are_equal(dataset_npy: shards.Dataset) -> None:
    dali, portable = read_both(dataset_npy, image_size=32)
    assert torch.equal(dali, portable)


def test_jpegs_at_their_size_are_equal(dataset_jpg: shards.Dataset) -> None:
    dali, portable = read_both(dataset_jpg, image_size=32)
    assert torch.equal(dali, portable)


def test_scaled_jpegs_are_equal(photos: shards.Dataset) -> None:
    dali, portable = read_both(photos, image_size=64)
    assert torch.equal(dali, portable)


def test_scaled_arrays_are_equal(dataset_npy: shards.Dataset) -> None:
    dali, portable = read_both(dataset_npy, image_size=24)
    assert torch.equal(dali, portable)


def test_wide_pictures_are_cut_alike(face_folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "wide").mkdir()
    for path in sorted(face_folder.rglob("*.jpg"))[:4]:
        with Image.open(path) as image:
            image.transpose(Image.Transpose.ROTATE_90).crop((0, 0, 217, 91)).save(
                tmp_path / "wide" / path.name
            )
    config = shards.PackConfig(
        source=tmp_path / "wide", out=tmp_path / "packed", split=(1, 0, 0), workers=1
    )
    shards.pack(config)
    dali, portable = read_both(shards.open_dataset(tmp_path / "packed"), image_size=40)
    assert torch.equal(dali, portable)
