"""faceae doctor."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from faceae.errors import FaceaeError
from faceae_shards import count_of

from ._command import option, translate, verb

if TYPE_CHECKING:
    from faceae.doctor import Report
    from faceae.doctor.checks import Outcome


@verb()
@option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Device that must work. auto: the GPU if there is one.",
)
@option(
    "--measure",
    is_flag=True,
    help="Time a convolution step in bfloat16 and in float32 on the CPU. Other load changes the "
    "result.",
)
@option(
    "--full",
    is_flag=True,
    help="Also run every part of faceae on the device, compare its numbers with those of the CPU, "
    "measure speeds, and print a table for an issue. Takes some minutes.",
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    device: Literal["auto", "cpu", "cuda"], measure: bool, full: bool, as_json: bool
) -> int:
    """Check what works on this machine.

    Prints versions, the CUDA major version of each library, devices, the number type for training,
    the optional extras, and each problem with its remedy. The exit code is 1 if a problem is an
    error or a check has failed.
    """
    from faceae.doctor import diagnose

    report = diagnose(device, measure=measure)
    if not as_json:
        click.echo(_text(report))
    outcomes = _run_checks(device) if full else []
    if as_json:
        checks = {"checks": [asdict(each) for each in outcomes]} if full else {}
        click.echo(json.dumps({**report.as_dict(), **checks}, indent=1))
    elif full:
        from faceae.doctor.checks import make_table

        click.echo(f"\n{make_table(outcomes)}")
    return int(report.failed or any(each.status == "FAILED" for each in outcomes))


def _run_checks(device: Literal["auto", "cpu", "cuda"]) -> list["Outcome"]:
    """Run all checks, and say on stderr how each has ended."""
    from faceae.device import resolve_device

    try:
        from faceae.doctor.checks import run_checks
    except ImportError as error:
        raise FaceaeError(
            f"`full`: the checks cannot be imported ({error}); `faceae doctor` without it says "
            "what to install"
        ) from error

    def show(outcome: "Outcome") -> None:
        click.echo(f"{outcome.status:<8}  {outcome.name} ({outcome.seconds:.0f} s)", err=True)

    return run_checks(resolve_device(device), on_outcome=show)


def _text(report: "Report") -> str:
    majors = ", ".join(f"{name} {major or 'none'}" for name, major in report.cuda_majors.items())
    lines = [
        f"python       {report.python} on {report.machine}, {count_of(report.cores, 'core')}",
        *(f"{name:<20} {version or 'not installed'}" for name, version in report.packages.items()),
        f"CUDA majors  {majors}",
        f"GPUs         {', '.join(report.gpus) or 'none'} (driver {report.driver or 'none'})",
        *([f"kernels for  {', '.join(report.architectures)}"] if report.architectures else []),
        f"compiler     {report.compiler}",
        f"device       {report.device}",
        f"precision    {report.amp}",
        f"loader       {report.loader or 'none'}",
    ]
    if report.bf16_speedup is not None:
        lines.append(f"measured     bfloat16 {report.bf16_speedup:.1f} times as fast on this CPU")
    lines += ["optional extras, installed from faceae's folder:", *_list_extras(report)]
    lines += [
        translate(f"{p.severity}: {p.what}\n  remedy: {p.remedy}", command) for p in report.problems
    ]
    if not report.problems:
        lines.append("no problem found")
    return "\n".join(lines)


def _list_extras(report: "Report") -> Iterator[str]:
    for name, is_installed in report.extras.items():
        how = f"not installed: pip install -c constraints.txt '.[{name}]'"
        yield f"  {name:<10} {'installed' if is_installed else how}"
