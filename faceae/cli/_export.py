"""faceae export."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from export import ExportReport, Kind
    from faceae.device import DeviceName


def _export_options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Where the written file is checked; it runs anywhere.",
        ),
        click.option(
            "--what",
            "kind",
            type=click.Choice(["decoder", "generator"]),
            default="decoder",
            show_default=True,
            help="decoder: latents to float faces. generator: noise to uint8 pictures.",
        ),
        click.option(
            "--rewrite/--no-rewrite",
            default=True,
            show_default=True,
            help="Give the decoder the form that computes the same faces faster.",
        ),
        click.option("-o", "out", metavar="FILE", type=click.Path(path_type=Path), required=True),
        click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


@click.group()
def command() -> None:
    """Write a trained model as one file for other software, with a free batch size.

    The file is run at batch 1, 7 and 64 on fresh latents and kept only if it computes what the
    model does; FILE.json beside it reports the check. A generator needs `faceae fit` first.
    """


@command.command("onnx", short_help="For ONNX Runtime and everything else that reads ONNX.")
@_export_options
def _onnx(run_path: Path, out: Path, rewrite: bool, kind: "Kind", device: "DeviceName") -> None:
    """Write an .onnx file."""
    from export import export_onnx

    _export(partial(export_onnx, rewrite=rewrite), run_path, out, kind, device)


@command.command("torchscript", short_help="For torch and libtorch.")
@_export_options
def _torchscript(
    run_path: Path, out: Path, rewrite: bool, kind: "Kind", device: "DeviceName"
) -> None:
    """Write a frozen TorchScript archive, .ts or .pt."""
    from export import export_torchscript

    _export(partial(export_torchscript, rewrite=rewrite), run_path, out, kind, device)


def _export(
    export_file: "Callable[[Any, Kind, Path, Any], ExportReport]",
    run_path: Path,
    out: Path,
    kind: "Kind",
    device: "DeviceName",
) -> None:
    from faceae.device import resolve_device
    from faceae.training import read_run

    from ._outputs import check_out_file
    from ._runs import latents_path, load_source

    check_out_file(out)
    check_out_file(out.with_name(f"{out.name}.json"))
    run = read_run(run_path)
    with_sampler = kind == "generator" or latents_path(run).exists()
    source = load_source(run, with_sampler=with_sampler)
    click.echo(_summarise(export_file(source, kind, out, resolve_device(device))))


def _summarise(report: "ExportReport") -> str:
    metadata = report.info.to_metadata()
    unit = "levels of 255" if report.info.kind == "generator" else "of faces in [-1, 1]"
    return "\n".join(
        (
            f"{report.path}: {report.info.kind}, {report.num_bytes / 1e6:.1f} MB"
            f"{', decoder rewritten' if report.rewritten else ''}",
            f"  in   {metadata['input']}",
            f"  out  {metadata['output']}, {metadata['value_range']}, {metadata['colour_order']}",
            f"  checked on {report.parity.num_faces} fresh latents in {report.checked_in}: "
            f"largest error {report.parity.max_error:.2g} {unit}; see {report.report_path}",
        )
    )
