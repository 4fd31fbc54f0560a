"""Trains a run from its first step, or from its last checkpoint, to its last epoch."""

import logging
import signal
from collections.abc import Mapping
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from faceae.device import resolve_device
from faceae.distributed import open_ranks
from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig, read_run, write_run, write_run_toml
from faceae_shards import PART_SUFFIX, Location, count_of, open_dataset, remove

from ._context import TrainContext, open_context
from ._going_on import is_finished, is_stalled
from ._observer import Observer
from ._plan import plan_run, reopen_run
from ._start import initialize_weights
from ._trainer import Trainer
from .records import (
    Checkpoint,
    Position,
    RunLog,
    drop_checkpoints,
    list_checkpoints,
    load_checkpoint,
    lock_run,
    set_random_state,
)

log = logging.getLogger(__name__)

_HOW_TO_GO_ON = " with `resume=True` (another number of processes also needs `restart_epoch=True`)"


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How far a run has come."""

    run: Run
    position: Position
    stopped_by: signal.Signals | None
    """The signal that stopped the training, after a checkpoint. None: the run is finished."""

    @property
    def is_stalled(self) -> bool:
        """Whether `early_stop` epochs in a row brought nothing, so that others were left out."""
        return self.position.epoch < self.run.config.epochs and is_stalled(self.run, self.position)


def train(config: TrainConfig, observer: Observer | None = None) -> TrainResult:
    """Train a model on a packed dataset, and write a new run folder.

    The same options and seed give the same weights on a CPU with the same number of threads and
    the same dtype. With `amp` the device's instructions decide the dtype, and run.json records it.
    SIGINT and SIGTERM stop the training after the current step, with a checkpoint (in the main
    thread only).

    If a launcher such as torchrun has started several processes, all of them must call this. They
    share each batch. The first process writes the run, and raises the errors that all have.

    Raises:
        FaceaeError, ShardsError: an option, the dataset or the folder is not usable (nothing is
            written then), the loss is no longer finite, or another process has ended.
    """
    with open_ranks(_HOW_TO_GO_ON) as ranks, ExitStack() as stack:
        run = ranks.broadcast_from_first(lambda: _plan(config, ranks.world_size))
        context = open_context(stack, ranks, run, config.data)
        initialize_weights(context, config.data)
        run_log = ranks.run_on_first(lambda: _create(stack, run))
        return _finish(context, run_log, Position(), observer)


def resume(
    run_path: Path,
    data: Location,
    asked: Mapping[str, object],
    observer: Observer | None = None,
    *,
    restart_epoch: bool = False,
) -> TrainResult:
    """Continue a run from its last checkpoint, or from its first step if it has none.

    On a CPU with the same number of threads the final weights are those of a run that was never
    interrupted. All processes must read the run's folder.

    Args:
        data: the dataset of the run, which may have been moved.
        asked: fields of TrainConfig that were given. They must equal those of the run, except
            `early_stop`, `keep_checkpoints` and `tracker`, and `epochs` of a run that is finished.
            More epochs extend it: the learning rate rises and falls again over the new ones.
        restart_epoch: continue from the last end of an epoch, and discard what came later. This
            allows another number of processes, `batch_size`, `accumulate` and `sync_batchnorm`.
            Weights, optimiser and the progress of the learning rate are kept; the order of the
            faces is drawn again.

    Raises:
        FaceaeError, ShardsError: the options, the number of processes, the dataset or the device
            differ from the run's, another process is training the run or has ended, or the loss is
            no longer finite.
    """
    with open_ranks(_HOW_TO_GO_ON) as ranks, ExitStack() as stack:
        run = ranks.broadcast_from_first(
            lambda: reopen_run(run_path, asked, restart_epoch=restart_epoch)
        )
        ranks.run_on_first(lambda: _take_over(stack, run))
        context = open_context(stack, ranks, run, data)
        load = _load_epoch_end if restart_epoch else _load_last
        checkpoint = ranks.run_on_all(lambda: load(context))
        if checkpoint is None:
            log.warning("%s: no checkpoint to go on from; starting at the first step", run.path)
            initialize_weights(context, data)
            checkpoint = _empty_checkpoint(run)
        if restart_epoch:
            ranks.run_on_first(lambda: _discard_rest(run))
        ranks.run_on_first(lambda: _save_changes(run))
        if is_finished(run, checkpoint.position):
            log.info("%s: already finished; more `epochs` extend it", run.path)
            return TrainResult(run=run, position=checkpoint.position, stopped_by=None)
        run_log = ranks.run_on_first(lambda: RunLog(run, checkpoint))
        return _finish(context, run_log, checkpoint.position, observer)


def _plan(config: TrainConfig, world_size: int) -> Run:
    device = resolve_device(config.device)
    return plan_run(config, open_dataset(config.data), device, world_size)


def _create(stack: ExitStack, run: Run) -> RunLog:
    """Lock the run until `stack` is closed, open the log, and write run.json and run.toml.

    If that fails, perhaps because a tracker cannot begin, nothing new is left in the folder, and
    what others have put there stays.
    """
    is_new = not run.path.exists()
    run.path.mkdir(parents=True, exist_ok=True)
    before = set(run.path.iterdir())
    stack.enter_context(lock_run(run.path))
    try:
        run_log = RunLog(run)
        write_run(run)
        write_run_toml(run)
    except BaseException:
        with suppress(OSError):  # such as a folder on NFS, which keeps a name for an open file
            for path in set(run.path.iterdir()) - before:
                remove(path)
            if is_new:
                run.path.rmdir()
        raise
    return run_log


def _take_over(stack: ExitStack, run: Run) -> None:
    """Lock the run until `stack` is closed, and delete the incomplete files of a killed process."""
    stack.enter_context(lock_run(run.path))
    for folder in (run.path, run.checkpoints_path, run.grids_path):
        for part in folder.glob(f"*{PART_SUFFIX}"):
            remove(part)


def _finish(
    context: TrainContext,
    run_log: RunLog | None,
    position: Position,
    observer: Observer | None,
) -> TrainResult:
    """Train from `position` to the last epoch, and close the log, which the first process has."""
    with closing(run_log) if run_log else nullcontext():
        stopped = Trainer(context, position, run_log, observer or Observer()).finish()
        if run_log:
            run_log.is_finished = stopped.signal is None
    return TrainResult(run=context.run, position=position, stopped_by=stopped.signal)


def _load_last(context: TrainContext) -> Checkpoint | None:
    """Load the last checkpoint into train state and loader, and return it; None without one."""
    run, ranks = context.run, context.ranks
    checkpoints = list_checkpoints(run.checkpoints_path)
    if not checkpoints:
        return None
    checkpoint, random_states = load_checkpoint(checkpoints[-1], context.train_state)
    if len(checkpoint.loaders) != ranks.world_size:
        raise FaceaeError(
            f"{checkpoints[-1]}: written by "
            f"{count_of(len(checkpoint.loaders), 'process')}, and now there are "
            f"{ranks.world_size}; start as many, or pass `restart_epoch=True` to continue from the "
            "last end of an epoch"
        )
    context.train.load_state_dict(checkpoint.loaders[ranks.rank])
    set_random_state(context.train_state.device, random_states[ranks.rank])
    return checkpoint


def _load_epoch_end(context: TrainContext) -> Checkpoint | None:
    """Load the last checkpoint of a finished epoch into the train state, and return it.

    Its step is the number of steps that its epochs have with the current batch size.
    """
    checkpoints = list_checkpoints(context.run.checkpoints_path, epochs_only=True)
    if not checkpoints:
        return None
    checkpoint, _ = load_checkpoint(checkpoints[-1], context.train_state)
    checkpoint.position.step = checkpoint.position.epoch * context.train.steps_per_epoch
    return checkpoint


def _empty_checkpoint(run: Run) -> Checkpoint:
    return Checkpoint(
        position=Position(), loaders=[], metrics_bytes=0, dataset_hash=run.dataset_hash
    )


def _discard_rest(run: Run) -> None:
    """Delete the checkpoints after the last end of an epoch."""
    ends = set(list_checkpoints(run.checkpoints_path, epochs_only=True))
    drop_checkpoints(path for path in list_checkpoints(run.checkpoints_path) if path not in ends)


def _save_changes(run: Run) -> None:
    """Write run.json if the run goes on with other options than it has there."""
    if run != read_run(run.path):
        write_run(run)
