"""faceae adopt."""

from pathlib import Path

import click

from faceae_shards import Location, ShardsError, count_of, parse_location

from ._command import verb, workers_option
from ._outputs import suggest_training


@verb()
@click.argument("folder", type=parse_location)
@workers_option
def command(folder: Location, workers: int | None) -> None:
    """Make a dataset of the WebDataset shards in FOLDER, which another tool wrote.

    Decodes every image, then adds dataset.json to FOLDER and an index beside each tar. The tars
    do not change. A tar's name (train-00000.tar, val-00000.tar) or its folder (train, val, test)
    is its split; other tars in FOLDER itself belong to train.
    """
    if not isinstance(folder, Path):
        raise ShardsError(f"{folder} is not a folder of this machine; copy the tars to one first")
    from faceae_shards import adopt

    from ._progress import show_image_progress

    with show_image_progress("checking") as on_progress:
        dataset = adopt(folder, workers, on_progress)
    counts = ", ".join(f"{dataset.num_samples(split):,} {split}" for split in dataset.splits)
    num_shards = sum(len(shards) for shards in dataset.splits.values())
    click.echo(f"{folder} is a dataset now: {counts} images in {count_of(num_shards, 'shard')}")
    suggest_training(folder)
