"""faceae report."""

from pathlib import Path

import click

from ._command import out_option, run_argument, verb
from ._outputs import check_out_file


@verb()
@run_argument
@out_option("RUN/report.html", "HTML file to write.")
def command(run_path: Path, out: Path | None) -> None:
    """Write a web page that shows RUN: quality, loss, speed, options and faces.

    The page is one file. It also shows the results that `faceae eval` has written into RUN. RUN may
    still be training.
    """
    from faceae.report import write_report
    from faceae.runs import read_run

    run = read_run(run_path)
    out = out or run.path / "report.html"
    check_out_file(out)
    write_report(run, out)
    click.echo(f"{out}: open it in a browser")
