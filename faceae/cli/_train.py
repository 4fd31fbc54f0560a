"""faceae train."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae.errors import FaceaeError
from faceae_shards import Location

from ._command import data_argument, option, verb
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.training import TrainConfig, TrainResult

_SIGNAL_EXIT = 128
"""Added to a signal's number to make an exit code, as shells do."""


@verb()
@data_argument
@option(
    "--run",
    "run_path",
    metavar="RUN",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write; with --resume the run to continue.",
)
@option("--resume", is_flag=True, show_default=False, help="Continue from the last checkpoint.")
@option(
    "--restart-epoch",
    is_flag=True,
    show_default=False,
    help="With --resume: continue from the last end of an epoch. The number of processes and the "
    "batch size may then differ.",
)
@option("--epochs", type=int, metavar="N", show_default="20", help="Passes over the train split.")
@option(
    "--batch-size",
    type=int,
    metavar="N",
    show_default="64",
    help="Faces per step, over all processes.",
)
@option(
    "--accumulate",
    type=int,
    metavar="N",
    show_default="1",
    help="Compute each batch in N parts, which needs less memory.",
)
@option(
    "--lr",
    type=float,
    metavar="RATE",
    show_default="0.0002; with --init random 0.002",
    help="Peak learning rate.",
)
@option(
    "--clip-norm",
    type=float,
    metavar="NORM",
    show_default="no limit",
    help="Largest norm of the gradient.",
)
@option(
    "--model",
    type=click.Choice(["plain", "denoising", "variational", "regularised"]),
    show_default="plain",
    help="Kind of autoencoder: plain for close reconstructions, variational for new faces.",
)
@option(
    "--noise-std",
    type=float,
    metavar="STD",
    show_default="0.1",
    help="denoising: standard deviation of the noise; pixels are in [-1, 1].",
)
@option(
    "--kl-weight",
    type=float,
    metavar="WEIGHT",
    show_default="1",
    help="variational: weight of the KL divergence.",
)
@option(
    "--free-bits",
    type=float,
    metavar="NATS",
    show_default="0",
    help="variational: KL divergence per latent number that is not penalised.",
)
@option(
    "--latent-penalty",
    type=float,
    metavar="WEIGHT",
    show_default="0.01",
    help="regularised: weight of the squared length of the latents.",
)
@option(
    "--init",
    metavar="components|random|FILE",
    show_default="components",
    help="First weights. components: the faces' principal components. random: as autoencoders "
    "usually begin. FILE: safetensors, or a state dict of torch.save (.pt, .pth), whole or a "
    "decoder's.",
)
@option(
    "--image-size",
    type=int,
    metavar="N",
    show_default="as packed, else 64",
    help="Height and width in pixels: 32, 64, 128 or 256.",
)
@option(
    "--latent-size",
    type=int,
    metavar="N",
    show_default="1024",
    help="Numbers that describe one face.",
)
@option(
    "--width",
    type=int,
    metavar="N",
    show_default="64",
    help="Channels after the first convolution.",
)
@option(
    "--amp/--no-amp",
    default=None,
    show_default="amp",
    help="Compute in bfloat16 or float16 if the device is faster at it.",
)
@option(
    "--compile/--no-compile",
    default=None,
    show_default="no-compile",
    help="Compile the network with torch.compile. The first step then takes some minutes.",
)
@option(
    "--cuda-graph/--no-cuda-graph",
    default=None,
    show_default="no-cuda-graph",
    help="Replay the kernels of each step as a CUDA graph.",
)
@option(
    "--sync-batchnorm/--no-sync-batchnorm",
    default=None,
    show_default="no-sync-batchnorm",
    help="With --init random or FILE: compute BatchNorm's statistics over the faces of all "
    "processes.",
)
@option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    show_default="auto",
    help="Device to train on; auto takes the GPU where there is one.",
)
@option(
    "--loader",
    type=click.Choice(["auto", "dali", "webdataset"]),
    show_default="auto",
    help="Library that reads the shards; auto takes DALI where it is installed.",
)
@option(
    "--cache",
    type=click.Choice(["auto", "none", "ram", "vram"]),
    show_default="auto",
    help="Memory that holds the training faces after they were read once; auto takes one where "
    "they fit.",
)
@option(
    "--seed",
    type=int,
    metavar="N",
    show_default="0",
    help="Seed of the first weights, the order of the faces and their mirroring.",
)
def command(
    data: Location, run_path: Path, resume: bool, restart_epoch: bool, **options: Any
) -> int:
    """Train an autoencoder on DATA, a dataset packed by `faceae shard`.

    RUN receives model.safetensors (the weights that are best on held-out faces), for each epoch a
    grid of held-out faces over their reconstructions, metrics.jsonl, TensorBoard events and
    checkpoints. Ctrl-C and SIGTERM write a checkpoint first, from which --resume continues with
    the run's own options. Under torchrun several processes share each step.
    """
    if restart_epoch and not resume:
        raise click.UsageError("--restart-epoch goes with --resume")
    from faceae import training

    from ._train_progress import TrainProgress

    # What was not given is None here, and TrainConfig's default; when resuming, the run's own.
    asked = {name: value for name, value in options.items() if value is not None}
    if "init" in asked:
        asked["init"] = training.parse_start(asked["init"])
    config = None if resume else _make_config(data, run_path, asked)
    speaks = training.is_first_rank()
    fetch_dataset(data, show=speaks)
    with TrainProgress() if speaks else _silence() as progress:
        if config is None:
            result = training.resume(run_path, data, asked, progress, restart_epoch=restart_epoch)
        else:
            result = training.train(config, progress)
    if speaks:
        click.echo(_summarise(result))
    return 0 if result.stopped_by is None else _SIGNAL_EXIT + result.stopped_by


@contextmanager
def _silence() -> Iterator[None]:
    """Say nothing but errors: the first process speaks for all."""
    handler, logger = logging.NullHandler(), logging.getLogger("faceae")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _make_config(data: Location, run_path: Path, asked: dict[str, Any]) -> "TrainConfig":
    from faceae.training import TrainConfig

    try:
        return TrainConfig(data=data, run=run_path, **asked)
    except FaceaeError as error:
        raise click.UsageError(str(error)) from error


def _summarise(result: "TrainResult") -> str:
    run, position = result.run, result.position
    lines = []
    if position.best_psnr_db is not None:
        lines += [
            f"{run.model_path}: {position.best_psnr_db:.2f} dB on held-out faces "
            f"({run.held_out_split}), after epoch {position.best_epoch} of {run.config.epochs}",
            f"{run.grids_path}: held-out faces over their reconstructions",
        ]
    if result.stopped_by is not None:
        lines.append(
            f"stopped by {result.stopped_by.name} after step {position.step}, with a checkpoint; "
            "go on with the same command and --resume"
        )
    return "\n".join(lines)
