"""faceae's stages as `benchmarks.article` compares them; each runs in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare_pack(photos: str, out: str, crop: int, size: int) -> Callable[[], int]:
    """Pack photographs as arrays of the training size."""
    import faceae

    return lambda: sum(
        faceae.pack(photos, out, crop=crop, size=size, encoding="npy").num_samples.values()
    )


def prepare_load(data: str, size: int) -> Callable[[], int]:
    """Read one epoch of batches."""
    import torch

    import faceae
    from faceae.data import LoaderConfig, make_loader

    config = LoaderConfig(split="train", batch_size=64, image_size=size, training=True)
    loader = make_loader("auto", faceae.open_dataset(data), config, torch.device("cpu"))
    return lambda: sum(len(batch.images) for batch in loader)


def prepare_train(data: str, run: str, width: int, epochs: int) -> Callable[[], None]:
    """Train with the default options."""
    import faceae

    def work() -> None:
        faceae.train(data, run, epochs=epochs, width=width)

    return work


def prepare_fit(data: str, run: str) -> Callable[[], None]:
    """Fit the default prior."""
    import faceae

    return lambda: faceae.fit(run, data)


def prepare_sample(run: str, count: int, out: str) -> Callable[[], int]:
    """Draw new faces and write them as one array, N x S x S x 3 uint8."""
    import numpy as np

    import faceae

    model: Any = faceae.load(run)

    def work() -> int:
        np.save(Path(out), model.generate(count))
        return count

    return work
