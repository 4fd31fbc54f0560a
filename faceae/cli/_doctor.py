"""faceae doctor."""

import json
from typing import TYPE_CHECKING, Literal

import click

from ._command import option, translate, verb

if TYPE_CHECKING:
    from faceae.doctor import Report


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
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(device: Literal["auto", "cpu", "cuda"], measure: bool, as_json: bool) -> int:
    """Check what works on this machine.

    Prints versions, the CUDA major version of each library, devices, the number type for training,
    and each problem with its remedy. The exit code is 1 if a problem is an error.
    """
    from faceae.doctor import diagnose

    report = diagnose(device, measure=measure)
    click.echo(json.dumps(report.as_dict(), indent=1) if as_json else _text(report))
    return int(report.failed)


def _text(report: "Report") -> str:
    majors = ", ".join(f"{name} {major or 'none'}" for name, major in report.cuda_majors.items())
    lines = [
        f"python       {report.python} on {report.machine}, {report.cores} cores",
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
    lines += [
        translate(f"{p.severity}: {p.what}\n  remedy: {p.remedy}", command) for p in report.problems
    ]
    if not report.problems:
        lines.append("no problem found")
    return "\n".join(lines)
