"""Loaders on a GPU: the graph whose structure tests/faceae/data checks, run."""

import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, make_loader

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def read(
    dataset: faceae_shards.Dataset, kind: str, device: str, training: bool
) -> list[torch.Tensor]:
    config = LoaderConfig(split="train", batch_size=8, image_size=24, training=training)
    loader = make_loader(kind, dataset, config, torch.device(device))  # type: ignore[arg-type]
    batches = [batch.images for _ in range(2) for batch in loader]
    loader.close()
    assert all(images.device.type == device for images in batches)
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in batches)
    return [images.cpu().int() for images in batches]


@pytest.mark.parametrize("encoding", ["jpg", "npy"])
def test_dali_gives_the_same_pictures_as_on_the_cpu(
    request: pytest.FixtureRequest, encoding: str
) -> None:
    pytest.importorskip("nvidia.dali")
    dataset = request.getfixturevalue(f"dataset_{encoding}")
    on_cpu = read(dataset, "dali", "cpu", training=False)
    on_gpu = read(dataset, "dali", "cuda", training=False)
    for expected, images in zip(on_cpu, on_gpu, strict=True):
        assert (expected - images).abs().float().mean() <= 2


def test_the_portable_loader_gives_the_same_batches_as_on_the_cpu(
    dataset_jpg: faceae_shards.Dataset,
) -> None:
    on_cpu = read(dataset_jpg, "webdataset", "cpu", training=True)
    on_gpu = read(dataset_jpg, "webdataset", "cuda", training=True)
    assert all(torch.equal(a, b) for a, b in zip(on_cpu, on_gpu, strict=True))


def test_a_batch_stays_as_it_was_while_others_are_read(dataset_jpg: faceae_shards.Dataset) -> None:
    pytest.importorskip("nvidia.dali")
    config = LoaderConfig(split="train", batch_size=8, image_size=24, training=True)
    loader = make_loader("dali", dataset_jpg, config, torch.device("cuda"))
    batches = [batch.images for _ in range(5) for batch in loader]
    copies = [images.clone() for images in batches]
    for _ in loader:
        pass
    loader.close()
    assert all(torch.equal(a, b) for a, b in zip(batches, copies, strict=True))
