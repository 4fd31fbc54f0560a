"""Loaders on a GPU: the graph whose structure tests/faceae/data checks, run."""

from contextlib import closing

import pytest
import torch

import faceae_shards
from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import CachePlace

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


def cached(dataset: faceae_shards.Dataset, device: str, place: CachePlace) -> Loader:
    config = LoaderConfig(split="train", batch_size=8, image_size=32, training=True)
    return make_loader("webdataset", dataset, config, torch.device(device), place)


def read_epochs(loader: Loader, count: int = 2) -> list[torch.Tensor]:
    with closing(loader):
        return [batch.images.cpu() for _ in range(count) for batch in loader]


@pytest.mark.parametrize("place", ["ram", "vram"])
def test_cache_gives_the_batches_of_a_cache_of_the_cpu(
    dataset_npy: faceae_shards.Dataset, place: CachePlace
) -> None:
    """Same order, same mirroring: both are drawn on the host."""
    expected = read_epochs(cached(dataset_npy, "cpu", "ram"))
    found = read_epochs(cached(dataset_npy, "cuda", place))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    first, second = (torch.cat(found[i : i + len(found) // 2]) for i in (0, len(found) // 2))
    assert not torch.equal(first, second), "each epoch has an order of its own"


@pytest.mark.parametrize("place", ["ram", "vram"])
def test_cache_goes_on_inside_of_an_epoch(
    dataset_npy: faceae_shards.Dataset, place: CachePlace
) -> None:
    with closing(cached(dataset_npy, "cuda", place)) as loader:
        next(iter(loader))
        state = loader.state_dict()
        expected = [batch.images.cpu() for batch in loader]
    with closing(cached(dataset_npy, "cuda", place)) as loader:
        loader.load_state_dict(state)
        found = [batch.images.cpu() for batch in loader]
    assert len(found) == loader.steps_per_epoch - 1
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_batches_of_a_cache_in_host_memory_stay_as_they_were(
    dataset_npy: faceae_shards.Dataset,
) -> None:
    """Their copies are queued behind a pause, while their pinned memory is free for others."""
    expected = read_epochs(cached(dataset_npy, "cpu", "ram"), count=4)
    found = []
    with closing(cached(dataset_npy, "cuda", "ram")) as loader:
        for _ in range(4):
            for images, _ in loader:
                torch.cuda._sleep(10_000_000)
                found.append(images)
    assert all(torch.equal(a, b.cpu()) for a, b in zip(expected, found, strict=True))
