"""faceae export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae_export import ExportReport, FormatName, Kind

_FORMATS = {
    "onnx": "For ONNX Runtime and everything else that reads ONNX: .onnx.",
    "torchscript": "For torch and libtorch, frozen: .ts or .pt.",
    "pt2": "For torch.export.load: .pt2.",
    "openvino": "For OpenVINO: .xml, and a .bin beside it.",
    "triton": "For Triton: a model repository, a new folder.",
    "weights": "The decoder's weights alone, for code of your own: .pt or .safetensors.",
}


@click.group()
def command() -> None:
    """Write a trained model, or a part of it, for other software, with a free batch size.

    What is written is run at batch 1, 7 and 64 on fresh inputs and kept only if it computes what
    the model does; OUT.json beside it reports the check. A generator needs `faceae fit` first.
    """


def _make_verb(format_name: "FormatName", purpose: str) -> click.Command:
    @click.command(format_name, help=purpose)
    @click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
    @click.option("-o", "out", metavar="OUT", type=click.Path(path_type=Path), required=True)
    @click.option(
        "--what",
        "kind",
        type=click.Choice(["decoder", "generator", "encoder", "autoencoder", "morph"]),
        default="decoder",
        show_default=True,
        help="decoder: latents to float faces. generator: noise to uint8 pictures. encoder: uint8 "
        "pictures to latents. autoencoder: uint8 pictures to the same. morph: two uint8 pictures "
        "and a number of frames to the frames between them.",
    )
    @click.option(
        "--rewrite/--no-rewrite",
        default=True,
        show_default=True,
        help="Give the network the form that computes the same faster.",
    )
    @click.option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "bf16", "int8"]),
        default="fp32",
        show_default=True,
        help="What the network is computed in; below fp32 (onnx) at least 35 dB PSNR against it.",
    )
    @click.option("--force", is_flag=True, help="Keep a file of a lower PSNR, too.")
    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where the written file is checked; it runs anywhere.",
    )
    def verb(run_path: Path, out: Path, kind: "Kind", device: "DeviceName", **options: Any) -> None:
        _export(format_name, run_path, out, kind, device, options)

    return verb


for _name, _purpose in _FORMATS.items():
    command.add_command(_make_verb(_name, _purpose))  # type: ignore[arg-type]


@command.command("web")
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-o", "out", metavar="DIR", type=click.Path(path_type=Path), required=True)
@click.option(
    "--precision",
    type=click.Choice(["int8", "fp16"]),
    default="int8",
    show_default=True,
    help="int8: smaller to load, and faster in the grid. fp16: closer to the model.",
)
@click.option("--force", is_flag=True, help="Keep a generator below 35 dB PSNR, too.")
@click.option(
    "--onnxruntime-web",
    "runtime_tarball",
    metavar="TGZ",
    type=click.Path(path_type=Path),
    help="What `npm pack onnxruntime-web` wrote, for a machine without npm; else npm fetches it.",
)
def _web(run_path: Path, out: Path, **options: Any) -> None:
    """A page that draws new faces in the visitor's browser: a new folder for any web server."""
    from faceae.runs import open_run
    from faceae_export import export_web

    from ._outputs import check_parent

    check_parent(out)
    source = open_run(run_path, latents=True)
    page = export_web(source, out, **options)
    click.echo(_summarise(page.report))
    click.echo(
        f"{page.path}: a page of {page.num_bytes / 1e6:.1f} MB; to see it: "
        f"`python -m http.server --directory {page.path}`"
    )


def _export(
    format_name: "FormatName",
    run_path: Path,
    out: Path,
    kind: "Kind",
    device: "DeviceName",
    options: dict[str, Any],
) -> None:
    from faceae.device import resolve_device
    from faceae.runs import open_run
    from faceae_export import export_model

    from ._outputs import check_out_file, check_parent

    check_parent(out) if format_name == "triton" else check_out_file(out)
    check_out_file(out.with_name(f"{out.name}.json"))
    source = open_run(run_path, latents=True if kind == "generator" else None)
    on_device = resolve_device(device)
    click.echo(_summarise(export_model(source, format_name, kind, out, on_device, **options)))


def _summarise(report: "ExportReport") -> str:
    info = report.info
    return "\n".join(
        (
            f"{report.path}: {info.kind}, {report.num_bytes / 1e6:.1f} MB"
            f"{', rewritten' if report.rewritten else ''}",
            *(f"  in   {port}" for port in info.inputs),
            f"  out  {info.output}",
            f"  checked on {report.parity.num_faces} fresh inputs in {report.checked_in}: "
            f"largest error {report.parity.max_error:.2g} {report.error_unit}; "
            f"see {report.report_path}",
            *_describe_gain(report),
        )
    )


def _describe_gain(report: "ExportReport") -> list[str]:
    if report.speedup is None:
        return []
    psnr_db = report.parity.psnr_db
    close = "equal to" if psnr_db is None else f"{psnr_db:.1f} dB PSNR against"
    gain = "the speed" if report.gains_speed else "the speed: nothing is gained but the size"
    return [f"  {report.info.precision}: {close} fp32; {report.speedup:.2f} times {gain}"]
