"""A run from its first step, or its last checkpoint, to its last epoch."""

import logging
import signal
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import count_decode_threads, resolve_device
from faceae.errors import FaceaeError
from faceae_shards import PART_SUFFIX, Dataset, Location, open_dataset, remove

from ._checkpoint import (
    Bookmark,
    Position,
    drop_checkpoints,
    list_checkpoints,
    load_checkpoint,
    set_random_state,
)
from ._config import TrainConfig
from ._lock import lock_run
from ._log import GRIDS_NAME, Observer, RunLog
from ._ranks import Ranks, open_ranks
from ._run import Run, check_dataset, find_device, plan_run, reopen_run, write_run
from ._speed import check_speed_options
from ._start import initialize_weights
from ._step import make_train_state
from ._trainer import TrainContext, Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How far a run has come."""

    run: Run
    position: Position
    stopped_by: signal.Signals | None
    """The signal that ended it early, after a checkpoint; None: all epochs are done."""


def train(config: TrainConfig, observer: Observer | None = None) -> TrainResult:
    """Train a model on a packed dataset, into a new run folder.

    Seeded: on a CPU, with the same number of threads and the same number type, the same options
    give the same weights. With `amp` the type is what a measurement chose; run.json keeps it.
    SIGINT and SIGTERM end it after the step at work with a checkpoint (in the main thread).

    Where a launcher such as torchrun has started several processes, all must call this: they share
    each batch, and the first writes the run and hears of errors that all have.

    Raises:
        FaceaeError, ShardsError: an option, the dataset or the folder will not do (nothing
            is written then), the loss is no longer finite, or another process has ended.
    """
    with open_ranks() as ranks, ExitStack() as stack:
        run = ranks.broadcast_from_first(lambda: _plan(config))
        context = _open_session(stack, ranks, run, config.data)
        initialize_weights(context, config.data)
        ranks.run_on_first(lambda: _create(stack, run))
        return _finish(stack, context, None, observer)


def resume(
    run_path: Path,
    data: Location,
    asked: Mapping[str, object],
    observer: Observer | None = None,
    *,
    restart_epoch: bool = False,
) -> TrainResult:
    """Go on with a run from its last checkpoint, or its first step where none was written yet.

    On a CPU, with the same number of threads, it ends with the weights it would have had unstopped.
    Several processes must all read the run's folder.

    Args:
        data: the dataset of the run, wherever it lies now.
        asked: fields of TrainConfig that were given; they must be those of the run.
        restart_epoch: go on from the last end of an epoch instead, and forget what came later.
            The number of processes may then be another, and so may `batch_size`, `accumulate` and
            `sync_batchnorm`. Weights, optimiser and the share of the learning rate's plan that is
            done stay; the order of the faces begins anew.

    Raises:
        FaceaeError, ShardsError: the options, the number of processes, the dataset or the
            device differ from the run's, another process is at work on the run or has ended, or
            the loss is no longer finite.
    """
    with open_ranks() as ranks, ExitStack() as stack:
        run = ranks.broadcast_from_first(
            lambda: reopen_run(run_path, asked, restart_epoch=restart_epoch)
        )
        ranks.run_on_first(lambda: _take_over(stack, run))
        context = _open_session(stack, ranks, run, data)
        go_back = _restart_epoch if restart_epoch else _go_back
        bookmark = ranks.run_on_all(lambda: go_back(context))
        if bookmark is None:
            log.warning("%s: no checkpoint to go on from; starting at the first step", run.path)
            initialize_weights(context, data)
            bookmark = _first_bookmark(run)
        if restart_epoch:
            ranks.run_on_first(lambda: _forget_rest(run))
        return _finish(stack, context, bookmark, observer)


def _plan(config: TrainConfig) -> Run:
    return plan_run(config, open_dataset(config.data), resolve_device(config.device))


def _create(stack: ExitStack, run: Run) -> None:
    """Write run.json, and hold the run until `stack` is closed."""
    write_run(run)
    stack.enter_context(lock_run(run.path))


def _take_over(stack: ExitStack, run: Run) -> None:
    """Hold the run until `stack` is closed, and delete what a killed process left half-written."""
    stack.enter_context(lock_run(run.path))
    for folder in (run.path, run.checkpoints_path, run.path / GRIDS_NAME):
        for part in folder.glob(f"*{PART_SUFFIX}"):
            remove(part)


def _open_session(stack: ExitStack, ranks: Ranks, run: Run, data: Location) -> TrainContext:
    """Open the loaders, to be closed with `stack`, and make a train_state at the first step."""
    opened = ranks.run_on_all(lambda: _open_data(stack, ranks, run, data))
    torch.manual_seed(run.config.seed)
    train_state = make_train_state(
        run.model,
        run.config,
        device=opened.device,
        amp_dtype=run.amp_dtype,
        total_steps=run.config.epochs * opened.train.steps_per_epoch,
        ranks=ranks,
    )
    # The first weights are the same everywhere; what is drawn from here on need not be.
    torch.manual_seed(run.config.seed + ranks.rank)
    return TrainContext(
        run=run, ranks=ranks, train_state=train_state, train=opened.train, held_out=opened.held_out
    )


class _Opened(NamedTuple):
    device: torch.device
    train: Loader
    held_out: Loader


def _open_data(stack: ExitStack, ranks: Ranks, run: Run, data: Location) -> _Opened:
    """Do what may fail in one process alone; nothing here waits for the others."""
    dataset = open_dataset(data)
    check_dataset(run, dataset)
    device = find_device(run)
    check_speed_options(run.config, device, ranks.world_size)
    return _Opened(
        device=device,
        train=_open_loader(stack, ranks, run, dataset, device, split="train"),
        held_out=_open_loader(stack, ranks, run, dataset, device, split=run.held_out_split),
    )


def _open_loader(
    stack: ExitStack, ranks: Ranks, run: Run, dataset: Dataset, device: torch.device, *, split: str
) -> Loader:
    config = LoaderConfig(
        split=split,
        batch_size=run.config.count_faces_a_rank(ranks.world_size),
        image_size=run.model.image_size,
        training=split == "train",
        seed=run.config.seed,
        rank=ranks.rank,
        world_size=ranks.world_size,
        num_threads=count_decode_threads(),
    )
    loader = make_loader(run.config.loader, dataset, config, device, run.cache)
    return stack.enter_context(closing(loader))


def _finish(
    stack: ExitStack, context: TrainContext, bookmark: Bookmark | None, observer: Observer | None
) -> TrainResult:
    """Train to the last epoch from `bookmark`, or from the first step of a new run."""
    run = context.run
    run_log = context.ranks.run_on_first(
        lambda: stack.enter_context(closing(RunLog(run, bookmark)))
    )
    position = Position() if bookmark is None else bookmark.position
    stopped = Trainer(context, position, run_log, observer or Observer()).finish()
    return TrainResult(run=run, position=position, stopped_by=stopped.signal)


def _go_back(context: TrainContext) -> Bookmark | None:
    """Take train_state and loader to the last checkpoint; None where there is none."""
    run, ranks = context.run, context.ranks
    checkpoints = list_checkpoints(run.checkpoints_path)
    if not checkpoints:
        return None
    bookmark, random_states = load_checkpoint(checkpoints[-1], context.train_state)
    if len(bookmark.loaders) != ranks.world_size:
        raise FaceaeError(
            f"{checkpoints[-1]}: written by {len(bookmark.loaders)} processes, and now there are "
            f"{ranks.world_size}; start as many, or add --restart-epoch to go on from the last "
            "end of an epoch"
        )
    context.train.load_state_dict(bookmark.loaders[ranks.rank])
    set_random_state(context.train_state.device, random_states[ranks.rank])
    return bookmark


def _restart_epoch(context: TrainContext) -> Bookmark | None:
    """Take the train_state to the last end of an epoch; None where there is none.

    Steps are counted as if all had been of the batch size that they are of now.
    """
    checkpoints = list_checkpoints(context.run.checkpoints_path, epochs_only=True)
    if not checkpoints:
        return None
    bookmark, _ = load_checkpoint(checkpoints[-1], context.train_state)
    bookmark.position.step = bookmark.position.epoch * context.train.steps_per_epoch
    return bookmark


def _first_bookmark(run: Run) -> Bookmark:
    return Bookmark(position=Position(), loaders=[], metrics_bytes=0, dataset_hash=run.dataset_hash)


def _forget_rest(run: Run) -> None:
    """Delete the checkpoints after the last end of an epoch, and keep the changed options."""
    ends = set(list_checkpoints(run.checkpoints_path, epochs_only=True))
    drop_checkpoints(path for path in list_checkpoints(run.checkpoints_path) if path not in ends)
    write_run(run)
