"""What is the portable loader's own: errors that name the image, its pixels, reading ahead."""

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, make_loader
from faceae.data._batch_decoder import BatchDecoder, PendingBatch, write_jpegs
from faceae.errors import FaceaeError

CPU = torch.device("cpu")


def make_config(image_size: int = 32, batch_size: int = 8) -> LoaderConfig:
    return LoaderConfig(split="train", batch_size=batch_size, image_size=image_size, training=False)


def read_error(dataset: faceae_shards.Dataset) -> str:
    loader = make_loader("webdataset", dataset, make_config(), CPU)
    with pytest.raises(FaceaeError) as caught:
        list(loader)
    loader.close()
    return str(caught.value)


def copy_dataset(dataset: faceae_shards.Dataset, out: Path) -> faceae_shards.Dataset:
    shutil.copytree(dataset.path, out)
    return replace(dataset, path=out)


def list_images(shard: Path, encoding: str) -> list[tarfile.TarInfo]:
    with tarfile.open(shard) as tar:
        return [member for member in tar if member.name.endswith(encoding)]


def test_pictures_come_in_stored_order(photos: faceae_shards.Dataset) -> None:
    loader = make_loader("webdataset", photos, make_config(image_size=64, batch_size=48), CPU)
    ((images, _),) = loader
    loader.close()
    (shard,) = photos.shard_paths("train")
    members = list_images(shard, "jpg")
    assert len(members) == len(images)
    for image, member in zip(images, members, strict=True):
        data = shard.read_bytes()[member.offset_data :][: member.size]
        expected_1HWC = torch.empty((1, 64, 64, 3), dtype=torch.uint8)
        write_jpegs([data], expected_1HWC.numpy())
        assert torch.equal(image.permute(1, 2, 0), expected_1HWC[0])


def test_a_damaged_jpeg_is_named_by_shard_and_key(damaged: faceae_shards.Dataset) -> None:
    shard = damaged.shard_paths("train")[0]
    key = list_images(shard, "jpg")[1].name.removesuffix(".jpg")
    message = read_error(damaged)
    assert message.startswith(f"{shard}: {key}: ")
    assert message.endswith(f"run `faceae verify {damaged.path}`")
    assert "\n" not in message


def test_an_array_of_another_size_is_named(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path
) -> None:
    dataset = copy_dataset(dataset_npy, tmp_path / "copy")
    shard = dataset.shard_paths("train")[0]
    member = list_images(shard, "npy")[2]
    data = bytearray(shard.read_bytes())
    header = slice(member.offset_data, member.offset_data + 128)
    data[header] = bytes(data[header]).replace(b"(32, 32, 3)", b"(16, 64, 3)")
    shard.write_bytes(data)
    key = member.name.removesuffix(".npy")
    assert f"{shard}: {key}: not a picture of 32x32 pixels" in read_error(dataset)


def test_a_tar_cut_inside_a_member_is_named(
    dataset_jpg: faceae_shards.Dataset, tmp_path: Path
) -> None:
    dataset = copy_dataset(dataset_jpg, tmp_path / "copy")
    shard = dataset.shard_paths("train")[0]
    member = list_images(shard, "jpg")[2]
    shard.write_bytes(shard.read_bytes()[: member.offset_data + member.size // 2])
    assert read_error(dataset).startswith(f"{shard}: unexpected end of data; run `faceae verify")


def test_a_tar_cut_between_members_is_named(
    dataset_jpg: faceae_shards.Dataset, tmp_path: Path
) -> None:
    # webdataset itself takes it for a shorter tar.
    dataset = copy_dataset(dataset_jpg, tmp_path / "copy")
    shard = dataset.shard_paths("train")[0]
    member = list_images(shard, "jpg")[2]
    shard.write_bytes(shard.read_bytes()[: member.offset])
    assert f"{shard}: 2 images where 16 were packed" in read_error(dataset)


def test_it_reads_a_bounded_number_of_batches_ahead(
    dataset_npy: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_started = 0
    loader = make_loader("webdataset", dataset_npy, make_config(batch_size=1), CPU)
    start = BatchDecoder.start

    def count(decoder: BatchDecoder, *arguments: Any) -> PendingBatch:
        nonlocal num_started
        num_started += 1
        return start(decoder, *arguments)

    monkeypatch.setattr(BatchDecoder, "start", count)
    batches = iter(loader)
    next(batches)
    loader.close()
    assert 1 <= num_started <= 4
