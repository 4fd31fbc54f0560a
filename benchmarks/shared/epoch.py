"""Reads an epoch of training batches; runs in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

IMAGE_SIZE = 64
BATCH_SIZE = 128


def prepare_epoch(dataset: str, cache: Any) -> Callable[[], int]:
    """Open the loader as `faceae train` does; the work reads one epoch."""
    import torch

    import faceae_shards
    from faceae.data import LoaderConfig, make_loader

    config = LoaderConfig(
        split="train", batch_size=BATCH_SIZE, image_size=IMAGE_SIZE, training=True
    )
    opened = faceae_shards.open_dataset(Path(dataset))
    loader = make_loader("auto", opened, config, torch.device("cpu"), cache)
    return lambda: sum(len(batch.images) for batch in loader)
