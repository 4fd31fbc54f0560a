"""Progress of one pass over a split."""

from collections.abc import Callable, Iterator

from ._config import Batch, Loader

OnImages = Callable[[int, int], None]
"""Receives the number of images done, and of all images."""


def report_batches(loader: Loader, on_images: OnImages) -> Iterator[Batch]:
    """Yield the batches of an evaluation loader, and report the images done after each."""
    done = 0
    for batch in loader:
        yield batch
        done += batch.num_valid
        on_images(done, loader.num_samples)
