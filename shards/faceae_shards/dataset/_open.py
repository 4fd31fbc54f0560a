"""Opening a dataset, local or remote, for reading."""

import logging

from ..storage import LocalFolder, Location, open_storage
from ._check import check_shards
from ._dataset import Dataset, read_dataset
from ._download import OnDownload, fetch

log = logging.getLogger(__name__)


def open_dataset(location: Location, on_download: OnDownload | None = None) -> Dataset:
    """Open a packed dataset after the checks that cost next to nothing.

    The checks: dataset.json is whole and has a known version; every tar and index is there with
    its recorded size; every index has its recorded content. `verify` checks the rest.

    A remote dataset (a URL) is first downloaded into the cache, and the sha256 of every file is
    checked. Files that the cache already holds are not downloaded again. The cache keeps the
    dataset while this process lives.

    Args:
        on_download: receives the number of bytes downloaded so far and the total; it is not called
            where nothing has to be downloaded.

    Raises:
        ShardsError: naming the first file that differs, and the remedy; or the cache is too small.
    """
    log.debug("opening %s", location)
    dataset = read_dataset(location)
    if isinstance(location, str):
        fetch(dataset, on_download)
    check_shards(dataset, LocalFolder(dataset.path))
    return dataset


def inspect_dataset(location: Location) -> Dataset:
    """Open a dataset as `open_dataset` does, but download only dataset.json and the indices.

    Raises:
        ShardsError: naming the first file that differs, and the remedy.
    """
    log.debug("opening %s", location)
    dataset = read_dataset(location)
    check_shards(dataset, open_storage(location))
    return dataset
