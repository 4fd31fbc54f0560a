"""Datasets brought here from URLs."""

from pathlib import Path

import click

from faceae_shards import Location, open_dataset


def fetch_dataset(data: Location, *, show: bool = True) -> None:
    """Download a remote dataset into the cache, and say where it is read from.

    A dataset on this machine needs nothing.

    Args:
        show: whether to draw a progress bar and say anything.
    """
    if isinstance(data, Path):
        return
    if not show:
        open_dataset(data)
        return
    from ._progress import show_download_progress

    with show_download_progress("downloading") as on_download:
        dataset = open_dataset(data, on_download)
    click.echo(f"{data} is read from the cache: {dataset.path}", err=True)
