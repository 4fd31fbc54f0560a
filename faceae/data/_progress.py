"""Progress of one pass over a split."""

from collections.abc import Callable, Iterator

from ._config import Batch, Loader

OnImages = Callable[[int, int], None]
"""Receives the number of images done, and of all images."""


def report_batches(loader: Loader, on_images: OnImages, most: int | None = None) -> Iterator[Batch]:
    """Yield the batches of an evaluation loader, and report the images done after each.

    Args:
        most: number of images at most, the first ones of the split. None: all.
    """
    total = loader.num_samples if most is None else min(most, loader.num_samples)
    done = 0
    for images_NCHW, num_valid in loader:
        batch = Batch(images_NCHW, min(num_valid, total - done))
        yield batch
        done += batch.num_valid
        on_images(done, total)
        if done == most:
            break
