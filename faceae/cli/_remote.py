"""Download of datasets at URLs."""

from pathlib import Path

from faceae_shards import Location, open_dataset

from ._watching import find_watch


def fetch_dataset(data: Location, *, show: bool = True) -> None:
    """Download a dataset at a URL into the cache, and print where it is read from.

    Does nothing for a dataset on this machine.

    Args:
        show: whether to show a progress bar and print anything.
    """
    if isinstance(data, Path):
        return
    if not show:
        open_dataset(data)
        return
    from ._progress import show_download_progress

    with show_download_progress("downloading") as on_download:
        dataset = open_dataset(data, on_download)
    find_watch().tell(f"{data} is read from the cache: {dataset.path}")
