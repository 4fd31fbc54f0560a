"""faceae verify."""

import click

from faceae_shards import Location, ShardsError, parse_location

from ._command import option, verb, workers_option


@verb()
@click.argument("data", type=parse_location)
@option(
    "--reindex",
    is_flag=True,
    help="First rebuild indices that are missing or damaged.",
)
@workers_option
def command(data: Location, reindex: bool, workers: int | None) -> None:
    """Check every hash and index of the dataset DATA, and decode every image.

    Prints each problem with the name of the file; the exit code is then 1. If DATA is a URL, checks
    the files there and not the copies in the cache.
    """
    from faceae_shards import reindex as rebuild_indices
    from faceae_shards import verify

    from ._progress import show_image_progress

    if reindex:
        for name in rebuild_indices(data):
            click.echo(f"{name} was rebuilt")
    with show_image_progress("verifying") as on_progress:
        report = verify(data, workers, on_progress)
    for problem in report.problems:
        click.echo(problem)
    if report.problems:
        raise ShardsError(
            f"{data} is not sound (problems: {len(report.problems)}); "
            f"`reindex=True` rebuilds indices; for the rest {report.remedy}"
        )
    click.echo(
        f"{data} is sound: {report.num_samples:,} images in {report.num_shards} shards, "
        f"{report.num_bytes / 1e6:,.1f} MB"
    )
