"""faceae adopt."""

from pathlib import Path

import click

from faceae_shards import Location, ShardsError, parse_location


@click.command()
@click.argument("folder", type=parse_location)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]"
)
def command(folder: Location, workers: int | None) -> None:
    """Make the WebDataset shards in FOLDER a dataset, in place.

    Checks every sample, decodes every image, and writes an index beside each tar and dataset.json;
    the tars keep every byte. Sub-folders train, valid and test are splits; tars in FOLDER itself
    are for training.
    """
    if not isinstance(folder, Path):
        raise ShardsError(
            f"{folder} is no folder of this machine; copy the tars to one to adopt them"
        )
    from faceae.cli._progress import show_image_progress
    from faceae_shards import adopt

    with show_image_progress("checking") as on_progress:
        dataset = adopt(folder, workers, on_progress)
    counts = ", ".join(f"{dataset.num_samples(split):,} {split}" for split in dataset.splits)
    num_shards = sum(len(shards) for shards in dataset.splits.values())
    click.echo(f"{folder} is a dataset now: {counts} images in {num_shards} shards")
