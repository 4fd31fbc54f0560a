"""faceae report."""

from pathlib import Path

import click

from ._outputs import check_out_file


@click.command()
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="RUN/report.html",
    help="Where to write.",
)
def command(run_path: Path, out: Path | None) -> None:
    """Draw RUN on one HTML page that needs no other file: quality, loss, speed, options, faces.

    RUN may still be at work or have been stopped. What `faceae eval` left in it is shown, too.
    """
    from faceae.report import write_report
    from faceae.runs import read_run

    run = read_run(run_path)
    out = out or run.path / "report.html"
    check_out_file(out)
    write_report(run, out)
    click.echo(f"{out}: open it in a browser")
