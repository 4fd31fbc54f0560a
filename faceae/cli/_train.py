"""faceae train."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae.errors import FaceaeError
from faceae_shards import Location

from ._command import data_argument, option, section, suggest_next, verb
from ._remote import fetch_dataset
from ._watching import find_watch

if TYPE_CHECKING:
    from faceae.training import TrainConfig, TrainResult


def _parse_keep(text: str) -> int | str:
    if text == "best":
        return text
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor 'best'") from None


_SIGNAL_EXIT = 128
"""Added to a signal's number to make an exit code, as shells do."""


@verb(log_level=logging.INFO)
@data_argument
@option(
    "--run",
    "run_path",
    metavar="RUN",
    type=click.Path(path_type=Path),
    required=True,
    help="New folder for the run. With --resume: the run to continue.",
)
@option(
    "--resume",
    is_flag=True,
    help="Continue the run from its last checkpoint. With more --epochs: extend a finished run; "
    "the learning rate then rises and falls again.",
)
@option(
    "--restart-epoch",
    is_flag=True,
    help="With --resume: continue from the end of the last finished epoch. The number of "
    "processes and the batch size may then change.",
)
@section(
    "Training",
    option("--epochs", type=int, metavar="N", show_default="20", help="Passes over the faces."),
    option(
        "--early-stop",
        type=int,
        metavar="N",
        show_default="no early stop",
        help="Stop after N epochs in a row without a better PSNR on held-out faces.",
    ),
    option(
        "--keep-checkpoints",
        type=_parse_keep,
        metavar="N|best",
        show_default="2",
        help="Keep the last N checkpoints. best: the last one and that of the best epoch. Each "
        "takes about three times the disk space of the weights, of an adversarial model over four.",
    ),
    option(
        "--batch-size",
        type=int,
        metavar="N",
        show_default="64",
        help="Faces per step, over all processes.",
    ),
    option(
        "--accumulate",
        type=int,
        metavar="N",
        show_default="1",
        help="Compute each batch in N micro-batches, which takes less memory.",
    ),
    option(
        "--lr",
        type=float,
        metavar="RATE",
        show_default="0.0002; with --init random 0.002, unless adversarial",
        help="Peak learning rate.",
    ),
    option(
        "--clip-norm",
        type=float,
        metavar="NORM",
        show_default="no clipping",
        help="Clip the norm of the gradient to this value.",
    ),
    option(
        "--init",
        metavar="components|random|RUN|FILE",
        show_default="components",
        help="First weights. components: principal components of the faces. random: random "
        "weights. RUN: the best weights of another run, and its architecture. FILE: weights of the "
        "whole model or of the decoder, as .safetensors or as a PyTorch state dict (.pt, .pth).",
    ),
    option(
        "--seed",
        type=int,
        metavar="N",
        show_default="0",
        help="Seed of the first weights, the order of the faces and their mirroring.",
    ),
    option(
        "--sync-batchnorm/--no-sync-batchnorm",
        default=None,
        show_default="no-sync-batchnorm",
        help="With several processes and --init random or FILE: compute BatchNorm's statistics "
        "over the faces of all processes, not of each.",
    ),
)
@section(
    "Tracking",
    option(
        "--tracker",
        multiple=True,
        metavar="NAME",
        show_default="TensorBoard alone",
        help="Also report to a tracker: wandb, mlflow, clearml (extras of these names), or one "
        "that another package offers. May be given several times. --resume continues the "
        "tracker's run.",
    ),
)
@section(
    "Model",
    option(
        "--model",
        type=click.Choice(["plain", "denoising", "variational", "regularised", "adversarial"]),
        show_default="plain",
        help="Kind of autoencoder. plain: closest reconstructions. denoising: reconstructs from "
        "noisy faces. variational: a VAE, whose new faces are smooth. regularised: a "
        "penalty keeps latents small. adversarial: a VAE trained against a discriminator, for "
        "sharp new faces; its reconstructions are less close.",
    ),
    option(
        "--image-size",
        type=int,
        metavar="N",
        show_default="as packed if that is one of these, else 64",
        help="Height and width of faces in pixels: 32, 64, 128 or 256.",
    ),
    option(
        "--latent-size",
        type=int,
        metavar="N",
        show_default="1024",
        help="Number of values that describe one face.",
    ),
    option(
        "--width",
        type=int,
        metavar="N",
        show_default="64",
        help="Channels after the first convolution; more make a larger network.",
    ),
    option(
        "--noise-std",
        type=float,
        metavar="STD",
        show_default="0.1",
        help="denoising: standard deviation of the noise; pixels are in [-1, 1].",
    ),
    option(
        "--kl-weight",
        type=float,
        metavar="WEIGHT",
        show_default="1",
        help="variational, adversarial: weight of the KL divergence. Less gives sharper and less "
        "regular faces.",
    ),
    option(
        "--free-bits",
        type=float,
        metavar="NATS",
        show_default="0",
        help="variational, adversarial: KL divergence of each latent value that is not penalised.",
    ),
    option(
        "--latent-penalty",
        type=float,
        metavar="WEIGHT",
        show_default="0.01",
        help="regularised: weight of the penalty on the squared length of latents.",
    ),
)
@section(
    "Speed and memory",
    option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        show_default="auto",
        help="Device to train on. auto: the GPU if there is one.",
    ),
    option(
        "--amp/--no-amp",
        default=None,
        show_default="amp",
        help="Use bfloat16 or float16 where the device has instructions for it.",
    ),
    option(
        "--compile/--no-compile",
        default=None,
        show_default="no-compile",
        help="Compile the network with torch.compile. The first step then takes some minutes.",
    ),
    option(
        "--cuda-graph/--no-cuda-graph",
        default=None,
        show_default="no-cuda-graph",
        help="Record a step as a CUDA graph and replay it, which starts kernels faster.",
    ),
    option(
        "--loader",
        type=click.Choice(["auto", "dali", "webdataset"]),
        show_default="auto",
        help="Library that reads the shards. auto: DALI if it is installed.",
    ),
    option(
        "--cache",
        type=click.Choice(["auto", "none", "ram", "vram"]),
        show_default="auto",
        help="Where to keep decoded faces after the first epoch. vram: GPU memory. auto: where "
        "they take at most half of the free memory.",
    ),
)
def command(
    data: Location, run_path: Path, resume: bool, restart_epoch: bool, **options: Any
) -> int:
    """Train an autoencoder on DATA, a dataset packed by `faceae shard`.

    RUN receives run.toml (the options, for --config), model.safetensors (the weights that
    reconstruct held-out faces best; of an adversarial model the last ones), checkpoints,
    metrics.jsonl, TensorBoard events, and for each epoch a picture of held-out faces over their
    reconstructions.

    Ctrl-C and SIGTERM write a checkpoint before they end the training. --resume continues from it
    with the options that the run was started with. Start several processes with torchrun.
    """
    if restart_epoch and not resume:
        raise click.UsageError("--restart-epoch goes with --resume")
    from faceae import training

    from ._train_progress import TrainProgress

    # An option that was not given is None: TrainConfig, or the run to resume, has its value.
    asked = {name: value for name, value in options.items() if value not in (None, ())}
    if "init" in asked:
        asked["init"] = training.parse_start(asked["init"])
    config = None if resume else _make_config(data, run_path, asked)
    speaks = training.is_first_rank()
    if not speaks:
        find_watch().silence()
    fetch_dataset(data, show=speaks)
    with TrainProgress() if speaks else nullcontext() as progress:
        if config is None:
            result = training.resume(run_path, data, asked, progress, restart_epoch=restart_epoch)
        else:
            result = training.train(config, progress)
    if speaks:
        click.echo(_summarise(result))
        if result.stopped_by is None:
            suggest_next("fit", run_path, data)
        else:
            suggest_next("train", data, "--run", run_path, "--resume")
    return 0 if result.stopped_by is None else _SIGNAL_EXIT + result.stopped_by


def _make_config(data: Location, run_path: Path, asked: dict[str, Any]) -> "TrainConfig":
    from faceae.runs import TrainConfig, begin_from_run

    options = begin_from_run(asked)
    try:
        return TrainConfig(data=data, run=run_path, **options)
    except FaceaeError as error:
        raise click.UsageError(str(error)) from error


def _describe_model(result: "TrainResult") -> str:
    run, position = result.run, result.position
    if run.config.model == "adversarial":
        weights = "moving average of the weights"
        return f"{run.model_path}: {weights} after epoch {position.epoch} of {run.config.epochs}"
    return (
        f"{run.model_path}: {position.best_psnr_db:.2f} dB on held-out faces "
        f"({run.held_out_split}), after epoch {position.best_epoch} of {run.config.epochs}"
    )


def _summarise(result: "TrainResult") -> str:
    run, position = result.run, result.position
    lines = []
    if position.best_psnr_db is not None:
        lines += [
            _describe_model(result),
            f"{run.grids_path}: held-out faces over their reconstructions",
        ]
    checkpoints = sorted(run.checkpoints_path.glob("epoch-*"))
    if checkpoints:
        num_bytes = sum(file.stat().st_size for path in checkpoints for file in path.iterdir())
        lines.append(f"{run.checkpoints_path}: {len(checkpoints)} kept, {num_bytes / 1e6:,.0f} MB")
    if result.is_stalled:
        lines.append(
            f"stopped early after epoch {position.epoch}: no epoch since {position.best_epoch} was "
            "better"
        )
    if result.stopped_by is not None:
        lines.append(
            f"stopped by {result.stopped_by.name} after step {position.step}, with a checkpoint; "
            "to continue, run the same command with --resume"
        )
    return "\n".join(lines)
