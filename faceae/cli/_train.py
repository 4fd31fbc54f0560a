"""faceae train."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae.errors import FaceaeError
from faceae_shards import Location

from ._command import data_argument, option, suggest_next, verb
from ._failure import exit_code
from ._remote import fetch_dataset
from ._train_options import model_options, speed_options, tracking_options, training_options
from ._watching import find_watch

if TYPE_CHECKING:
    from faceae.training import TrainConfig, TrainResult


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
@training_options
@tracking_options
@model_options
@speed_options
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
    from faceae.distributed import is_first_rank

    from ._train_progress import TrainProgress

    # An option that was not given is None: TrainConfig, or the run to resume, has its value.
    asked = {name: value for name, value in options.items() if value not in (None, ())}
    if "init" in asked:
        asked["init"] = training.parse_start(asked["init"])
    config = None if resume else _make_config(data, run_path, asked)
    speaks = is_first_rank()
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
    return exit_code(result.stopped_by)


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
