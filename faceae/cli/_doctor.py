"""faceae doctor."""

import json
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from faceae.doctor import Report


@click.command()
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="The device you mean to use.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(device: Literal["auto", "cpu", "cuda"], as_json: bool) -> int:
    """Print versions, CUDA majors, devices and number types, and each thing that would not work.

    Exits with 1 if something asked for cannot work.
    """
    from faceae.doctor import diagnose

    report = diagnose(device)
    click.echo(json.dumps(report.as_dict(), indent=1) if as_json else _text(report))
    return int(report.failed)


def _text(report: "Report") -> str:
    majors = ", ".join(f"{name} {major or 'none'}" for name, major in report.cuda_majors.items())
    lines = [
        f"python       {report.python} on {report.machine}, {report.cores} cores",
        *(f"{name:<20} {version or 'not installed'}" for name, version in report.packages.items()),
        f"CUDA majors  {majors}",
        f"GPUs         {', '.join(report.gpus) or 'none'} (driver {report.driver or 'none'})",
        f"device       {report.device}",
        f"--amp        {report.amp}",
        f"loader       {report.loader or 'none'}",
    ]
    lines += [f"{p.severity}: {p.what}\n  remedy: {p.remedy}" for p in report.problems]
    if not report.problems:
        lines.append("no problem found")
    return "\n".join(lines)
