"""Chooses the loader of a split."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Literal

import torch

from faceae.device import CachePlace, count_decode_threads
from faceae.errors import FaceaeError
from faceae_shards import Dataset

from ._cache import CachedLoader
from ._config import Loader, LoaderConfig

LoaderKind = Literal["auto", "dali", "webdataset"]

_FILL_BATCH = 256
"""Images per batch while a cache is filled."""

log = logging.getLogger(__name__)


def make_loader(
    kind: LoaderKind,
    dataset: Dataset,
    config: LoaderConfig,
    device: torch.device,
    cache: CachePlace = "none",
) -> Loader:
    """Return a loader of one split of a dataset; `auto` takes DALI if it can be imported.

    Both loaders return the same images (pixels differ by far less than 1 of 255 on average). In
    training each has its own order.

    Args:
        cache: memory that holds the images after the first read: `ram` is the host's, `vram` that
            of `device`. Only training uses it.

    Raises:
        FaceaeError: DALI was requested and cannot be imported, or the split is too small.
        faceae_shards.ShardsError: the dataset has no such split.
    """
    _warn_if_enlarging(dataset, config)
    if cache == "none" or not config.training:
        return _open(kind, dataset, config, device)
    in_order = replace(config, training=False, batch_size=_FILL_BATCH)
    return CachedLoader(
        dataset,
        config,
        device,
        on_device=cache == "vram",
        open_reader=lambda: _open(kind, dataset, in_order, device),
    )


@contextmanager
def open_split(
    dataset: Dataset,
    split: str,
    image_size: int,
    device: torch.device,
    *,
    batch_size: int,
    loader: LoaderKind,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Loader]:
    """Open a loader that reads each image of a split once, in stored order; close it at the end.

    Of `world_size` processes, each reads the part of its `rank`.

    Args:
        image_size: height and width in pixels.
        device: where the batches lie.
        batch_size: images per batch. Does not change the images.

    Raises:
        FaceaeError: DALI was requested and cannot be imported, or the split is too small.
        faceae_shards.ShardsError: the dataset has no such split.
    """
    config = LoaderConfig(
        split=split,
        batch_size=batch_size,
        image_size=image_size,
        training=False,
        num_threads=count_decode_threads(),
        rank=rank,
        world_size=world_size,
    )
    with closing(make_loader(loader, dataset, config, device)) as opened:
        yield opened


def _open(kind: LoaderKind, dataset: Dataset, config: LoaderConfig, device: torch.device) -> Loader:
    if kind == "webdataset":
        log.info("%s: webdataset loader, as requested", config.split)
        return _open_webdataset(dataset, config, device)
    try:
        # Imported here: the import takes a second, and not every platform has DALI.
        from ._dali import DaliLoader
    except ImportError as error:
        if kind == "dali":
            raise FaceaeError(
                f"`loader='dali'`: DALI cannot be imported ({error}); pip install "
                "nvidia-dali-cuda120 (Linux x86-64 only), or use `loader='webdataset'`"
            ) from error
        log.info("%s: webdataset loader, since DALI cannot be imported (%s)", config.split, error)
        return _open_webdataset(dataset, config, device)
    log.info(
        "%s: DALI loader on %s, %s",
        config.split,
        device.type,
        "as requested" if kind == "dali" else "since it is installed",
    )
    return DaliLoader(dataset, config, device)


def _open_webdataset(dataset: Dataset, config: LoaderConfig, device: torch.device) -> Loader:
    # Imported here, so that everything but loading works without webdataset.
    from ._webdataset import WebDatasetLoader

    return WebDatasetLoader(dataset, config, device)


def _warn_if_enlarging(dataset: Dataset, config: LoaderConfig) -> None:
    if dataset.image_size is not None and min(dataset.image_size) < config.image_size:
        log.warning(
            "%s holds images of %dx%d pixels; image size %d enlarges them, which adds no detail",
            dataset.path,
            dataset.image_size[1],
            dataset.image_size[0],
            config.image_size,
        )
