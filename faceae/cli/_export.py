"""faceae export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._command import Verb, option, run_argument, verb

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae_export import ExportReport, FormatName, Kind

_FORMATS = {
    "onnx": "For ONNX Runtime and other software that reads ONNX. OUT ends in .onnx.",
    "torchscript": "For torch.jit.load and libtorch. OUT ends in .ts or .pt.",
    "pt2": "For torch.export.load. OUT ends in .pt2.",
    "openvino": "For OpenVINO. OUT ends in .xml; a .bin file is written beside it.",
    "triton": "For NVIDIA Triton. OUT is a new folder, a model repository.",
    "weights": "Only the decoder's weights. OUT ends in .pt or .safetensors.",
}


@click.group()
def command() -> None:
    """Write a trained model, or a part of it, for other software.

    The file takes any batch size. Before it is kept it is run at batch 1, 7 and 64 on new inputs
    and compared with the model; OUT.json holds the report. A generator needs `faceae fit` first.
    """


def _make_verb(format_name: "FormatName", purpose: str) -> click.Command:
    @verb(format_name, help=purpose, short_help=purpose)
    @run_argument
    @click.argument("out", type=click.Path(path_type=Path))
    @option(
        "--part",
        "kind",
        type=click.Choice(["decoder", "generator", "encoder", "autoencoder", "morph"]),
        default="decoder",
        help="decoder: latents to float images. generator: noise to uint8 images. encoder: uint8 "
        "images to latents. autoencoder: uint8 images to uint8 images. morph: two uint8 images and "
        "a number of frames to the frames between them.",
    )
    @option(
        "--rewrite/--no-rewrite",
        default=True,
        help="Rewrite the network into an equal form that runs faster.",
    )
    @option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "bf16", "int8"]),
        default="fp32",
        help="Number type of the network. The file must have at least 35 dB PSNR against fp32.",
    )
    @option(
        "--force",
        is_flag=True,
        help="Keep a file of a lower PSNR, too.",
    )
    @option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Device that the file is checked on. It runs on any.",
    )
    def export(
        run_path: Path, out: Path, kind: "Kind", device: "DeviceName", **options: Any
    ) -> None:
        _export(format_name, run_path, out, kind, device, options)

    command_of_format: click.Command = export
    return command_of_format


for _name, _purpose in _FORMATS.items():
    command.add_command(_make_verb(_name, _purpose))  # type: ignore[arg-type]


@command.command("web", cls=Verb, short_help="A web page that draws faces in the browser.")
@run_argument
@click.argument("out", type=click.Path(path_type=Path))
@option(
    "--precision",
    type=click.Choice(["int8", "fp16"]),
    default="int8",
    show_default=True,
    help="int8: smaller and faster. fp16: closer to the model.",
)
@option("--force", is_flag=True, help="Keep a generator below 35 dB PSNR, too.")
@option(
    "--onnxruntime-web",
    "onnxruntime_web",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="npm downloads it",
    help="File that `npm pack onnxruntime-web` wrote, for a machine without npm.",
)
def _web(run_path: Path, out: Path, **options: Any) -> None:
    """Write a web page that draws new faces in the visitor's browser.

    OUT is a new folder of static files for any web server.
    """
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
