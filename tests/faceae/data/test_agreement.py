"""The two loaders give the same pictures."""

import tarfile
from pathlib import Path

import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, make_loader

pytest.importorskip("nvidia.dali")


def read_both(dataset: faceae_shards.Dataset, image_size: int) -> tuple[torch.Tensor, torch.Tensor]:
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


def test_arrays_at_their_size_are_equal(dataset_npy: faceae_shards.Dataset) -> None:
    dali, portable = read_both(dataset_npy, image_size=32)
    assert torch.equal(dali, portable)


def test_jpegs_at_their_size_are_equal(dataset_jpg: faceae_shards.Dataset) -> None:
    dali, portable = read_both(dataset_jpg, image_size=32)
    assert torch.equal(dali, portable)


def test_scaled_jpegs_are_equal(photos: faceae_shards.Dataset) -> None:
    dali, portable = read_both(photos, image_size=64)
    assert torch.equal(dali, portable)


def test_scaled_arrays_are_equal(dataset_npy: faceae_shards.Dataset) -> None:
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
    config = faceae_shards.PackConfig(
        source=tmp_path / "wide", out=tmp_path / "packed", split=(1, 0, 0), workers=1
    )
    faceae_shards.pack(config)
    dali, portable = read_both(faceae_shards.open_dataset(tmp_path / "packed"), image_size=40)
    assert torch.equal(dali, portable)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_pictures_of_many_sizes_do_not_depend_on_what_they_are_scaled_with(
    face_folder: Path, tmp_path: Path, num_threads: int
) -> None:
    from PIL import Image

    from faceae.data._batch_decoder import write_jpegs

    (tmp_path / "mixed").mkdir()
    for number, path in enumerate(sorted(face_folder.rglob("*.jpg"))[:12]):
        with Image.open(path) as image:
            size = [(178, 218), (100, 218), (40, 40), (177, 90)][number % 4]
            image.crop((0, 0, *size)).save(tmp_path / "mixed" / path.name)
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=tmp_path / "mixed", out=tmp_path / "packed", split=(1, 0, 0), workers=1
        )
    )
    dataset = faceae_shards.open_dataset(tmp_path / "packed")
    config = LoaderConfig(
        split="train", batch_size=12, image_size=40, training=False, num_threads=num_threads
    )
    loader = make_loader("dali", dataset, config, torch.device("cpu"))
    ((images, _),) = loader
    loader.close()
    with tarfile.open(dataset.shard_paths("train")[0]) as tar:
        stored = [tar.extractfile(m).read() for m in tar if m.name.endswith(".jpg")]  # type: ignore[union-attr]
    for image, data in zip(images.permute(0, 2, 3, 1), stored, strict=True):
        alone_1HWC = torch.empty((1, 40, 40, 3), dtype=torch.uint8)
        write_jpegs([data], alone_1HWC.numpy())
        assert torch.equal(image, alone_1HWC[0])
