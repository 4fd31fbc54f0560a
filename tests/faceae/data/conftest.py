"""Datasets whose pictures tell which one they are."""

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards

NUM_NUMBERED = 107
SIDE = 16


def draw_number(number: int) -> Image.Image:
    """Red is the number everywhere; green is 255 in the left half, so that a mirror shows."""
    image_HWC = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    image_HWC[:, :, 0] = number
    image_HWC[:, : SIDE // 2, 1] = 255
    return Image.fromarray(image_HWC)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> faceae_shards.Dataset:
    """107 arrays of 16x16 in shards of 20, all in split train."""
    folder = tmp_path_factory.mktemp("numbers")
    for number in range(NUM_NUMBERED):
        draw_number(number).save(folder / f"{number:03}.png")
    out = tmp_path_factory.mktemp("packed") / "numbered"
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=folder,
            out=out,
            size=SIDE,
            encoding="npy",
            samples_per_shard=20,
            split=(1, 0, 0),
            workers=1,
        )
    )
    return faceae_shards.open_dataset(out)


@pytest.fixture(scope="session")
def photos(face_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> faceae_shards.Dataset:
    """The 48 JPEGs of 178x218 with their bytes untouched."""
    out = tmp_path_factory.mktemp("packed") / "photos"
    faceae_shards.pack(
        faceae_shards.PackConfig(source=face_folder, out=out, split=(1, 0, 0), workers=1)
    )
    return faceae_shards.open_dataset(out)


@pytest.fixture
def damaged(dataset_jpg: faceae_shards.Dataset, tmp_path: Path) -> faceae_shards.Dataset:
    """A copy of the small JPEGs; the second one of the first shard is all zeros."""
    shutil.copytree(dataset_jpg.path, tmp_path / "damaged")
    copy = replace(dataset_jpg, path=tmp_path / "damaged")
    shard = copy.shard_paths("train")[0]
    with tarfile.open(shard) as tar:
        member = [member for member in tar if member.name.endswith(".jpg")][1]
    with shard.open("r+b") as stream:
        stream.seek(member.offset_data)
        stream.write(bytes(member.size))
    return copy
