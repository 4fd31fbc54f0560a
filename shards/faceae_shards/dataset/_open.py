"""A dataset opened for reading, wherever it lies."""

from .._errors import ShardsError
from ..storage import LocalFolder, Location, Storage, open_storage
from ._download import OnDownload, fetch
from ._manifest import Dataset, find_cheap_problem, read_dataset


def open_dataset(location: Location, on_download: OnDownload | None = None) -> Dataset:
    """Open a packed dataset after the checks that cost next to nothing.

    These are: the manifest is whole and of a known version; every tar and index is there, with the
    recorded size; every index has the recorded content. `verify` checks the rest.

    A remote dataset (a URL) is downloaded into the cache first, every file checked by its sha256;
    what is there already is used. The cache keeps it while this process lives.

    Args:
        on_download: receives the bytes there so far, and those of the dataset; never called where
            nothing has to be downloaded.

    Raises:
        ShardsError: naming the first file that differs, and the remedy; or the cache is too small.
    """
    dataset = read_dataset(location)
    if isinstance(location, str):
        fetch(dataset, on_download)
    check_shards(dataset, LocalFolder(dataset.path))
    return dataset


def inspect_dataset(location: Location) -> Dataset:
    """Do what `open_dataset` does, but look at a remote dataset's files where they are.

    Nothing is downloaded but the manifest and the indices.
    """
    dataset = read_dataset(location)
    check_shards(dataset, open_storage(location))
    return dataset


def check_shards(dataset: Dataset, storage: Storage) -> None:
    """Raise ShardsError unless every tar and index is there, as far as that costs nothing."""
    for shards in dataset.splits.values():
        for shard in shards:
            problem = find_cheap_problem(storage, shard, dataset.remedy)
            if problem is not None:
                raise ShardsError(problem)
