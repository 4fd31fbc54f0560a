"""faceae adopt."""

from pathlib import Path

import click

from faceae_shards import Location, ShardsError, parse_location

from ._command import verb, workers_option


@verb()
@click.argument("folder", type=parse_location)
@workers_option
def command(folder: Location, workers: int | None) -> None:
    """Turn the WebDataset shards in FOLDER into a dataset, in place.

    Decodes every image, then writes an index beside each tar and dataset.json. The tars stay as
    they are. Splits follow from names such as train-00000.tar and val-00000.tar, or from folders
    named train, val and test; other tars in FOLDER itself are for training.
    """
    if not isinstance(folder, Path):
        raise ShardsError(f"{folder} is not a folder of this machine; copy the tars to one first")
    from faceae.cli._progress import show_image_progress
    from faceae_shards import adopt

    with show_image_progress("checking") as on_progress:
        dataset = adopt(folder, workers, on_progress)
    counts = ", ".join(f"{dataset.num_samples(split):,} {split}" for split in dataset.splits)
    num_shards = sum(len(shards) for shards in dataset.splits.values())
    click.echo(f"{folder} is a dataset now: {counts} images in {num_shards} shards")
