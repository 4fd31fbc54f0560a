"""faceae verify."""

import click

from faceae_shards import Location, ShardsError, parse_location


@click.command()
@click.argument("dataset", type=parse_location)
@click.option(
    "--reindex", is_flag=True, help="First rebuild missing and stale indices of sound tars."
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]"
)
def command(dataset: Location, reindex: bool, workers: int | None) -> None:
    """Check every hash, rebuild every index and decode every image of DATASET.

    Prints each problem with the file's name, and exits with 1 where there is one.
    What lies at a URL is downloaded for this, a shard at a time: the cache is not looked at.
    """
    from faceae.cli._progress import show_image_progress
    from faceae_shards import reindex as rebuild_indices
    from faceae_shards import verify

    if reindex:
        for name in rebuild_indices(dataset):
            click.echo(f"{name} was rebuilt")
    with show_image_progress("verifying") as on_progress:
        report = verify(dataset, workers, on_progress)
    for problem in report.problems:
        click.echo(problem)
    if report.problems:
        raise ShardsError(
            f"{dataset} is not sound (problems: {len(report.problems)}); "
            f"--reindex mends indices; else {report.remedy}"
        )
    click.echo(
        f"{dataset} is sound: {report.num_samples:,} images in {report.num_shards} shards, "
        f"{report.num_bytes / 1e6:,.1f} MB"
    )
