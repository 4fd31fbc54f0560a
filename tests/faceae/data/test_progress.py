"""Batches of one pass over a split."""

import pytest

import faceae_shards
from faceae.data import LoaderConfig, make_loader, report_batches
from faceae.device import resolve_device


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (None, [(10, 24), (20, 24), (24, 24)]),
        (30, [(10, 24), (20, 24), (24, 24)]),
        (13, [(10, 13), (13, 13)]),
    ],
)
def test_only_the_first_images_are_read(
    dataset_npy: faceae_shards.Dataset, most: int | None, expected: list[tuple[int, int]]
) -> None:
    config = LoaderConfig(split="train", batch_size=10, image_size=32, training=False)
    loader = make_loader("webdataset", dataset_npy, config, resolve_device("cpu"))
    reports: list[tuple[int, int]] = []
    batches = list(report_batches(loader, lambda done, total: reports.append((done, total)), most))
    loader.close()
    assert reports == expected
    assert sum(batch.num_valid for batch in batches) == expected[-1][1]
