"""faceae train."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae.errors import FaceaeError
from faceae_shards import Location, parse_location

from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.training import TrainConfig, TrainResult

_SIGNAL_EXIT = 128
"""Added to a signal's number to make an exit code, as shells do."""


@click.command()
@click.argument("data", type=parse_location)
@click.option(
    "--run",
    "run_path",
    metavar="RUN",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write; with --resume the run to go on with.",
)
@click.option("--resume", is_flag=True, help="Go on from the run's last checkpoint.")
@click.option(
    "--restart-epoch",
    is_flag=True,
    help="With --resume: go on from the last end of an epoch; number of processes and batch may "
    "be others.",
)
@click.option("--epochs", type=int, help="Passes over the training split (default 20).")
@click.option("--batch-size", type=int, help="Faces a step over all processes (default 64).")
@click.option(
    "--accumulate", type=int, help="Parts a batch is computed in, to need less memory (default 1)."
)
@click.option(
    "--sync-batchnorm/--no-sync-batchnorm",
    default=None,
    help="With --init random or WEIGHTS: take BatchNorm's statistics over all processes (default: "
    "each over its own faces).",
)
@click.option(
    "--lr",
    type=float,
    help="Peak learning rate (default 0.0002; with --init random 0.002).",
)
@click.option("--clip-norm", type=float, help="Largest norm of the gradient (default: any).")
@click.option(
    "--model",
    type=click.Choice(["plain", "denoising", "variational", "regularised"]),
    help="Kind of autoencoder (default: plain).",
)
@click.option("--noise-std", type=float, help="Of denoising; pixels are in [-1, 1] (default 0.1).")
@click.option("--kl-weight", type=float, help="Of variational (default 1).")
@click.option("--free-bits", type=float, help="Of variational; nats a latent number (default 0).")
@click.option("--latent-penalty", type=float, help="Of regularised (default 0.01).")
@click.option(
    "--init",
    metavar="components|random|WEIGHTS",
    help="First weights: from the faces' principal components (default), random ones, or those of "
    "a .safetensors file or a state dict of torch.save (.pt, .pth), whole or a decoder's.",
)
@click.option(
    "--image-size",
    type=int,
    help="Height and width in pixels: 32, 64, 128 or 256 (default: as packed, else 64).",
)
@click.option("--latent-size", type=int, help="Numbers that describe a face (default 1024).")
@click.option("--width", type=int, help="Channels after the first convolution (default 64).")
@click.option(
    "--amp/--no-amp",
    default=None,
    help="Compute in bfloat16 or float16 where the device is faster so (default: yes).",
)
@click.option(
    "--compile/--no-compile",
    default=None,
    help="Compile the network; the first step then takes up to some minutes (default: no).",
)
@click.option(
    "--cuda-graph/--no-cuda-graph",
    default=None,
    help="Replay each step's kernels as a CUDA graph (default: no).",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Default: auto.")
@click.option("--loader", type=click.Choice(["auto", "dali", "webdataset"]), help="Default: auto.")
@click.option(
    "--cache",
    type=click.Choice(["auto", "none", "ram", "vram"]),
    help="Hold the training faces in memory once they were read (default: auto, where they fit).",
)
@click.option("--seed", type=int, help="Of first weights, order and mirroring (default 0).")
def command(
    data: Location, run_path: Path, resume: bool, restart_epoch: bool, **options: Any
) -> int:
    """Train an autoencoder on DATA, a dataset packed by `faceae shard`.

    RUN receives model.safetensors (the weights best on held-out faces), a grid of held-out faces
    over their reconstructions for each epoch, metrics.jsonl, TensorBoard events and checkpoints.
    Ctrl-C and SIGTERM write a checkpoint first; --resume goes on exactly there, with the options
    the run was started with. Under torchrun several processes share each step.
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
