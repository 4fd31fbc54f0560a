"""faceae export."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ._command import Group, option, run_argument, suggest_command, suggest_next, verb

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae_export import ExportReport, FormatName, Kind

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class _Format:
    """What the help of one format says; the formats themselves take long to import."""

    purpose: str
    out: str
    precisions: tuple[str, ...] = ("fp32",)
    is_graph: bool = True
    """Whether the file holds a network, and not its weights alone."""


_FORMATS: "dict[FormatName, _Format]" = {
    "onnx": _Format(
        purpose="ONNX Runtime and other software that reads ONNX",
        out="OUT ends in .onnx.",
        precisions=("fp32", "fp16", "int8"),
    ),
    "openvino": _Format(purpose="OpenVINO", out="OUT ends in .xml; a .bin file lies beside it."),
    "pt2": _Format(
        purpose="torch.export.load", out="OUT ends in .pt2.", precisions=("fp32", "fp16", "bf16")
    ),
    "torchscript": _Format(
        purpose="torch.jit.load and libtorch",
        out="OUT ends in .ts or .pt.",
        precisions=("fp32", "fp16", "bf16"),
    ),
    "triton": _Format(purpose="NVIDIA Triton", out="OUT is a new folder, a model repository."),
    "weights": _Format(
        purpose="code of your own: only the decoder's weights",
        out="OUT ends in .pt or .safetensors.",
        is_graph=False,
    ),
}
_FORCE_HELP = "Keep the file even if its PSNR is below 35 dB."


@click.group(cls=Group)
def command() -> None:
    """Export a trained model, or a part of it, for other software.

    The exported file takes any batch size. It is kept only if its results at batch 1, 7 and 64 are
    those of the model; OUT.json reports the comparison. A generator and a sampler need `faceae fit`
    first, an editor `faceae directions`.
    """


_part_option = option(
    "--part",
    "kind",
    type=click.Choice(
        [
            "decoder",
            "generator",
            "sampler",
            "encoder",
            "autoencoder",
            "morph",
            "editor",
            "latent-editor",
        ]
    ),
    default="decoder",
    help="""Part of the model.

    \b
    decoder        latents to float images
    generator      noise to uint8 images
    sampler        noise to latents
    encoder        uint8 images to latents
    autoencoder    uint8 images to uint8 images
    morph          two uint8 images to the frames
                   between them
    editor         uint8 images and strengths to
                   images with changed attributes
    latent-editor  latents and strengths to
                   images with changed attributes""",
)
_rewrite_option = option(
    "--rewrite/--no-rewrite",
    default=True,
    help="Rewrite the network into an equivalent one that runs faster.",
)


def _choose_options(form: _Format) -> Callable[[F], F]:
    """Return a decorator that adds the options that a format has."""
    options = [_part_option, _rewrite_option] if form.is_graph else []
    if len(form.precisions) > 1:
        options += [
            option(
                "--precision",
                type=click.Choice(form.precisions),
                default=form.precisions[0],
                help="Number type of the network. Results of other types than fp32 must have a "
                "PSNR of at least 35 dB against fp32.",
            ),
            option("--force", is_flag=True, help=_FORCE_HELP),
        ]

    def decorate(function: F) -> F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


def _make_verb(name: "FormatName", form: _Format) -> click.Command:
    @verb(name, help=f"Export for {form.purpose}. {form.out}", short_help=form.purpose)
    @run_argument
    @click.argument("out", type=click.Path(path_type=Path))
    @_choose_options(form)
    @option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Device to check the file on. The file runs on any device.",
    )
    def export(
        run_path: Path, out: Path, device: "DeviceName", kind: "Kind" = "decoder", **options: Any
    ) -> None:
        _export(name, run_path, out, kind, device, options)

    command_of_format: click.Command = export
    return command_of_format


for _name, _form in _FORMATS.items():
    command.add_command(_make_verb(_name, _form))


@verb("web", short_help="a web page that draws and changes faces in the browser")
@run_argument
@click.argument("out", type=click.Path(path_type=Path))
@option(
    "--precision",
    type=click.Choice(["int8", "fp16"]),
    default="int8",
    help="Number type of the network. int8: smaller and faster. fp16: closer to the model.",
)
@option("--force", is_flag=True, help=_FORCE_HELP)
@option(
    "--onnxruntime-web",
    "onnxruntime_web",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="downloaded by npm",
    help="ONNX Runtime Web, as `npm pack onnxruntime-web` writes it; for machines without npm.",
)
def _web(run_path: Path, out: Path, **options: Any) -> None:
    """Export as a web page that draws and changes faces in the visitor's browser.

    OUT is a new folder of static files for any web server, or for `faceae serve`. `faceae fit` must
    have run first. With the directions of `faceae directions` the page changes attributes.
    """
    from faceae.runs import open_run
    from faceae_export import export_web

    from ._outputs import check_parent

    check_parent(out)
    source = open_run(run_path, latents=True, directions=True)
    page = export_web(source, out, **options)
    click.echo(_summarise(page.report))
    click.echo(f"{page.path}: a page of {page.num_bytes / 1e6:.1f} MB")
    suggest_command("python", "-m", "http.server", "--directory", page.path)


command.add_command(_web)


@verb("sagemaker", short_help="a model.tar.gz for SageMaker")
@run_argument
@click.argument("out", type=click.Path(path_type=Path))
def _sagemaker(run_path: Path, out: Path) -> None:
    """Export as the model.tar.gz that a SageMaker endpoint is created from.

    OUT ends in .tar.gz. The archive holds the run's model and latents, and code/inference.py for
    SageMaker's inference toolkits. Unpacked, it is a run's folder that `faceae serve` serves. The
    container needs faceae[serve].
    """
    from faceae.runs import read_run
    from faceae.sagemaker import write_model_archive

    from ._outputs import check_out_file

    check_out_file(out)
    names = write_model_archive(read_run(run_path), out)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB: {', '.join(names)}")


command.add_command(_sagemaker)


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

    from ._outputs import check_out_file, check_parent, propose_beside

    check_parent(out) if format_name == "triton" else check_out_file(out)
    check_out_file(out.with_name(f"{out.name}.json"))
    source = open_run(
        run_path, latents=kind in ("generator", "sampler") or None, directions="editor" in kind
    )
    on_device = resolve_device(device)
    click.echo(_summarise(export_model(source, format_name, kind, out, on_device, **options)))
    if kind == "generator" and format_name not in ("triton", "weights"):
        suggest_next("generate", out, propose_beside(out, "faces.png"))


def _summarise(report: "ExportReport") -> str:
    info = report.info
    return "\n".join(
        (
            f"{report.path}: {info.kind}, {report.num_bytes / 1e6:.1f} MB"
            f"{', rewritten for speed' if report.rewritten else ''}",
            *(f"  in   {port}" for port in info.inputs),
            f"  out  {info.output}",
            f"  checked on {report.parity.num_faces} fresh inputs in {report.checked_in}: "
            f"largest error {_describe_error(report)}; "
            f"see {report.report_path}",
            *_describe_gain(report),
        )
    )


def _describe_error(report: "ExportReport") -> str:
    error = f"{report.parity.max_error:.2g} {report.error_unit}"
    return error.replace("1 levels", "1 level") if report.parity.max_error == 1 else error


def _describe_gain(report: "ExportReport") -> list[str]:
    if report.speedup is None:
        return []
    psnr_db = report.parity.psnr_db
    close = "equal to" if psnr_db is None else f"{psnr_db:.1f} dB PSNR against"
    gain = "the speed" if report.gains_speed else "the speed: nothing is gained but the size"
    return [f"  {report.info.precision}: {close} fp32; {report.speedup:.2f} times {gain}"]
