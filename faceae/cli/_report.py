"""faceae report."""

from pathlib import Path

import click

from faceae.errors import FaceaeError

from ._command import option, out_option, verb
from ._outputs import check_out_file


@verb()
@click.argument("source", metavar="RUN|STUDY")
@out_option("RUN/report.html", "HTML file to write; needed for a study in a database.")
@option("--name", default="faceae", metavar="NAME", help="Name of a study in a database.")
def command(source: str, out: Path | None, name: str) -> None:
    """Write a web page about a run or a study.

    The page is one file. Of RUN it shows quality, loss, speed, options and faces, and the results
    that `faceae eval` has written into it. Of STUDY, the folder or URL that `faceae tune` has, it
    shows all trials and how much each option matters. RUN and STUDY may still be at work.
    """
    from faceae.report import write_report, write_study_report
    from faceae.runs import read_run
    from faceae.tuning import is_study, read_study

    if "://" in source and out is None:
        raise FaceaeError("a study in a database has no folder; name the file to write as `out`")
    out = out or Path(source) / "report.html"
    if is_study(source):
        study = read_study(source if "://" in source else Path(source).resolve(), name=name)
        check_out_file(out)
        write_study_report(study, out)
    else:
        run = read_run(Path(source))
        check_out_file(out)
        write_report(run, out)
    click.echo(f"{out}: open it in a browser")
