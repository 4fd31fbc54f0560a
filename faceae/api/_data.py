"""Packing, and reading what was packed."""

from pathlib import Path
from typing import Any

import faceae_shards
from faceae.data import Loader, LoaderConfig, LoaderKind, make_loader
from faceae.device import DeviceName, count_decode_threads, resolve_device
from faceae_shards import Dataset, Location, PackConfig, PackSummary, parse_location

_DEFAULT_IMAGE_SIZE = 64


def as_location(place: str | Path) -> Location:
    """Return a path or URL given as text or as a path."""
    return parse_location(place) if isinstance(place, str) else place


def pack(source: str | Path, out: str | Path, **options: Any) -> PackSummary:
    """Pack photographs into a dataset, or go on where an interrupted call stopped.

    Args:
        source: a folder, zip, tar, Parquet file, list of paths, or the URL of one.
        out: the folder or object store prefix to write.
        options: fields of `faceae_shards.PackConfig`, such as `crop=178`, `size=64`,
            `encoding="npy"`, `split=(0.9, 0.05, 0.05)`, `seed=0` and `workers=2`.

    Returns:
        What was packed, and what was refused.

    Raises:
        ShardsError: the source, an option or the folder cannot be used.
        OSError: as the file system reports it.
        TypeError: an option that does not exist.
    """
    config = PackConfig(source=as_location(source), out=as_location(out), **options)
    return faceae_shards.pack(config)


def open_dataset(data: str | Path) -> Dataset:
    """Open a packed dataset; one behind a URL is downloaded into the cache first.

    Raises:
        ShardsError: there is no dataset, it is incomplete or damaged.
    """
    return faceae_shards.open_dataset(as_location(data))


def open_loader(
    data: str | Path | Dataset,
    *,
    split: str = "train",
    batch_size: int = 64,
    image_size: int | None = None,
    training: bool | None = None,
    seed: int = 0,
    device: DeviceName = "auto",
    loader: LoaderKind = "auto",
) -> Loader:
    """Open a loader for a training loop of your own.

    Iterating it gives one epoch of `faceae.data.Batch`: `images` is a torch tensor, N x 3 x H x W
    uint8, RGB, channels-last, on the device; `num_valid` counts the images that are not padding.
    Call `close()` when done, for example by `contextlib.closing`.

    Args:
        data: a packed dataset, or where it lies.
        split: train, valid or test.
        image_size: side in pixels. None: that of the packed images, else 64.
        training: whether to shuffle, mirror and drop the last incomplete batch. None: only in the
            train split.
        seed: of the order and the mirroring.
        device: auto takes the GPU where there is one.
        loader: dali, webdataset, or auto: DALI where it is installed.

    Raises:
        ShardsError: the dataset has no such split.
        FaceaeError: an option out of its range, or the device or loader cannot be used.
    """
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    packed = None if dataset.image_size is None else min(dataset.image_size)
    config = LoaderConfig(
        split=split,
        batch_size=batch_size,
        image_size=image_size or packed or _DEFAULT_IMAGE_SIZE,
        training=split == "train" if training is None else training,
        seed=seed,
        num_threads=count_decode_threads(),
    )
    return make_loader(loader, dataset, config, resolve_device(device))
