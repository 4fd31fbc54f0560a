"""A run from its first step, or its last checkpoint, to its last epoch."""

import logging
import math
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import count_decode_threads, resolve_device
from faceae.errors import FaceaeError
from faceae.model import save_model
from shards import PART_SUFFIX, Dataset, Location, open_dataset

from ._checkpoint import Bookmark, Position, list_checkpoints, load_checkpoint, save_checkpoint
from ._config import TrainConfig
from ._evaluate import evaluate
from ._lock import lock_run
from ._log import EpochMetrics, Observer, RunLog, Window
from ._run import (
    Run,
    check_dataset,
    check_options,
    check_single_process,
    create_run,
    find_device,
    plan_run,
    read_run,
)
from ._signals import Stopped, StopRequest, stop_on_signals
from ._step import Learner, learning_rate, make_learner, train_step

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

    Raises:
        FaceaeError, shards.ShardsError: an option, the dataset or the folder will not do (nothing
            is written then), or the loss is no longer finite.
    """
    check_single_process()
    dataset = open_dataset(config.data)
    device = resolve_device(config.device)
    run = plan_run(config, dataset, device)
    with ExitStack() as stack:
        loaders = _open_loaders(stack, run, dataset, device)
        torch.manual_seed(config.seed)
        learner = _make_learner(run, device, loaders.train.steps_per_epoch)
        create_run(run)
        stack.enter_context(lock_run(run.path))
        run_log = stack.enter_context(closing(RunLog(run)))
        return _Job(run, learner, loaders, run_log, Position(), observer or Observer()).finish()


def resume(
    run_path: Path, data: Location, asked: Mapping[str, object], observer: Observer | None = None
) -> TrainResult:
    """Go on with a run from its last checkpoint, or its first step where none was written yet.

    On a CPU, with the same number of threads, it ends with the weights it would have had unstopped.

    Args:
        data: the dataset of the run, wherever it lies now.
        asked: fields of TrainConfig that were given; they must be those of the run.

    Raises:
        FaceaeError, shards.ShardsError: the options, the dataset or the device differ from the
            run's, another process is at work on the run, or the loss is no longer finite.
    """
    check_single_process()
    run = read_run(run_path)
    check_options(run, asked)
    dataset = open_dataset(data)
    check_dataset(run, dataset)
    device = find_device(run)
    with ExitStack() as stack:
        stack.enter_context(lock_run(run.path))
        _remove_parts(run)
        loaders = _open_loaders(stack, run, dataset, device)
        torch.manual_seed(run.config.seed)
        learner = _make_learner(run, device, loaders.train.steps_per_epoch)
        bookmark = _go_back(run, learner, loaders)
        run_log = stack.enter_context(closing(RunLog(run, bookmark)))
        job = _Job(run, learner, loaders, run_log, bookmark.position, observer or Observer())
        return job.finish()


@dataclass(frozen=True)
class _Loaders:
    train: Loader
    held_out: Loader


class _Job:
    """One session of a run."""

    def __init__(
        self,
        run: Run,
        learner: Learner,
        loaders: _Loaders,
        run_log: RunLog,
        position: Position,
        observer: Observer,
    ) -> None:
        self._run = run
        self._learner = learner
        self._loaders = loaders
        self._log = run_log
        self._position = position
        self._observer = observer
        self._stop = StopRequest()
        self._start = time.perf_counter() - position.seconds
        self._last_checkpoint = time.monotonic()

    def finish(self) -> TrainResult:
        """Train the epochs that remain; stop earlier, with a checkpoint, on a signal."""
        position, total_steps = self._position, self._learner.total_steps
        with stop_on_signals() as self._stop:
            try:
                self._observer.on_start(self._run, step=position.step, total_steps=total_steps)
                while position.epoch < self._run.config.epochs:
                    if position.step < self._epoch_end():
                        self._train_epoch()
                    self._measure_epoch()
            except Stopped:
                self._save_checkpoint(epoch_done=False)
                return TrainResult(run=self._run, position=position, stopped_by=self._stop.signal)
        return TrainResult(run=self._run, position=position, stopped_by=None)

    def _epoch_end(self) -> int:
        """Steps done when the epoch at work has been trained."""
        return (self._position.epoch + 1) * self._loaders.train.steps_per_epoch

    def _train_epoch(self) -> None:
        position, end = self._position, self._epoch_end()
        window = Window(self._learner.device)
        for batch in window.timed(iter(self._loaders.train)):
            window.add(train_step(self._learner, position.step, batch.images))
            position.step += 1
            self._observer.on_step(position.step)
            is_log_step = position.step % self._run.config.log_steps == 0 or position.step == end
            if is_log_step:
                self._log_window(window)
            # At the end of an epoch the loader must first be exhausted, to be saved as such.
            if position.step < end:
                self._stop.check()
                if is_log_step and self._is_checkpoint_due():
                    self._save_checkpoint(epoch_done=False)
                    window.restart()
        assert position.step == end, f"{position.step} steps where an epoch ends after {end}"

    def _measure_epoch(self) -> None:
        position = self._position
        model = self._learner.model
        evaluation = evaluate(model, self._loaders.held_out, self._learner.device, self._stop.check)
        position.epoch += 1
        if position.best_psnr_db is None or evaluation.psnr_db > position.best_psnr_db:
            position.best_psnr_db, position.best_epoch = evaluation.psnr_db, position.epoch
            save_model(model, self._run.model_path)
        metrics = EpochMetrics(
            step=position.step,
            epoch=position.epoch,
            valid_psnr_db=evaluation.psnr_db,
            best_psnr_db=position.best_psnr_db,
            seconds=self._seconds(),
        )
        self._log.write(metrics)
        self._log.draw(evaluation, step=position.step, epoch=position.epoch)
        self._save_checkpoint(epoch_done=True)
        self._observer.on_epoch(metrics)

    def _log_window(self, window: Window) -> None:
        step, learner = self._position.step, self._learner
        metrics = window.close(
            step=step,
            epoch=self._position.epoch + 1,
            lr=learning_rate(step - 1, learner.total_steps, learner.peak_lr),
            seconds=self._seconds(),
        )
        if not math.isfinite(metrics.loss):
            raise self._diverged()
        self._log.write(metrics)
        self._observer.on_metrics(metrics)

    def _save_checkpoint(self, *, epoch_done: bool) -> None:
        # The last step may have broken weights whose loss nobody has seen yet.
        if not all(tensor.isfinite().all() for tensor in self._learner.model.state_dict().values()):
            raise self._diverged()
        self._position.seconds = self._seconds()
        bookmark = Bookmark(
            position=self._position,
            loader=self._loaders.train.state_dict(),
            metrics_bytes=self._log.sync(),
            dataset_hash=self._run.dataset_hash,
        )
        save_checkpoint(self._run.checkpoints_path, self._learner, bookmark, epoch_done=epoch_done)
        self._last_checkpoint = time.monotonic()

    def _is_checkpoint_due(self) -> bool:
        minutes = (time.monotonic() - self._last_checkpoint) / 60
        return minutes >= self._run.config.checkpoint_minutes

    def _seconds(self) -> float:
        return time.perf_counter() - self._start

    def _diverged(self) -> FaceaeError:
        checkpoints = list_checkpoints(self._run.checkpoints_path)
        last = f"the last good checkpoint is {checkpoints[-1]}" if checkpoints else "no checkpoint"
        return FaceaeError(
            f"the loss is not finite at step {self._position.step} ({last}); "
            f"start another --run with an --lr below {self._run.config.lr:g}"
        )


def _open_loaders(stack: ExitStack, run: Run, dataset: Dataset, device: torch.device) -> _Loaders:
    """Open the loaders, to be closed with `stack`."""

    def open_loader(split: str, training: bool) -> Loader:
        config = LoaderConfig(
            split=split,
            batch_size=run.config.batch_size,
            image_size=run.model.image_size,
            training=training,
            seed=run.config.seed,
            num_threads=count_decode_threads(),
        )
        return stack.enter_context(closing(make_loader(run.config.loader, dataset, config, device)))

    return _Loaders(
        train=open_loader("train", training=True),
        held_out=open_loader(run.held_out_split, training=False),
    )


def _make_learner(run: Run, device: torch.device, steps_per_epoch: int) -> Learner:
    return make_learner(
        run.model,
        device=device,
        amp_dtype=run.amp_dtype,
        peak_lr=run.config.lr,
        total_steps=run.config.epochs * steps_per_epoch,
    )


def _go_back(run: Run, learner: Learner, loaders: _Loaders) -> Bookmark:
    """Take learner and loader to the last checkpoint; without one they stay at the first step."""
    checkpoints = list_checkpoints(run.checkpoints_path)
    if not checkpoints:
        log.warning("%s: no checkpoint was written yet; starting at the first step", run.path)
        return Bookmark(
            position=Position(),
            loader=loaders.train.state_dict(),
            metrics_bytes=0,
            dataset_hash=run.dataset_hash,
        )
    bookmark = load_checkpoint(checkpoints[-1], learner)
    loaders.train.load_state_dict(bookmark.loader)
    return bookmark


def _remove_parts(run: Run) -> None:
    """Delete what a killed process left half-written."""
    for folder in (run.path, run.checkpoints_path, run.path / "grids"):
        for part in folder.glob(f"*{PART_SUFFIX}"):
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink()
