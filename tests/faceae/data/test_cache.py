"""What is the cache's own: it reads once, and holds what it says."""

import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, _cache, _choose, count_cached_bytes, make_loader

CPU = torch.device("cpu")


def make_config(**options: int) -> LoaderConfig:
    defaults = {"batch_size": 10, "image_size": 16}
    return LoaderConfig(split="train", training=True, **{**defaults, **options})


def test_the_split_is_read_once(
    numbered: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_loader = _choose._open

    def count(*args: object) -> object:
        opened.append(args)
        return open_loader(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(_choose, "_open", count)
    loader = make_loader("webdataset", numbered, make_config(), CPU, "ram")
    assert len(opened) == 0, "reading begins with the first batch"
    for _ in range(3):
        assert sum(1 for _ in loader) == 10
    loader.close()
    assert len(opened) == 1


def test_a_batch_stays_as_it_was_while_others_are_made(numbered: faceae_shards.Dataset) -> None:
    loader = make_loader("webdataset", numbered, make_config(), CPU, "ram")
    batches = [batch.images for batch in loader]
    copies = [images.clone() for images in batches]
    assert sum(1 for _ in loader) == 10
    loader.close()
    assert all(torch.equal(a, b) for a, b in zip(batches, copies, strict=True))
    assert all(a.is_contiguous(memory_format=torch.channels_last) for a in batches)


def test_evaluation_is_not_cached(numbered: faceae_shards.Dataset) -> None:
    config = LoaderConfig(split="train", batch_size=10, image_size=16, training=False)
    loader = make_loader("webdataset", numbered, config, CPU, "ram")
    assert not isinstance(loader, _cache.CachedLoader)
    loader.close()


def test_bytes_are_counted_at_the_size_asked_for(numbered: faceae_shards.Dataset) -> None:
    assert count_cached_bytes(numbered, "train", 8) == 107 * 8 * 8 * 3
