"""The epochs of a run: steps, validation, checkpoints."""

import logging
import math
import time

from faceae.distributed import Stopped, StopRequest, stop_on_signals
from faceae.errors import FaceaeError
from faceae.model import save_model
from faceae.runs import EpochMetrics

from ._context import TrainContext
from ._going_on import is_finished
from ._observer import Observer
from ._validate import Validation, validate
from .records import (
    Checkpoint,
    Position,
    RandomState,
    RunLog,
    StepMeter,
    list_checkpoints,
    random_state,
    save_checkpoint,
)
from .step import train_step

log = logging.getLogger(__name__)


class Trainer:
    """Trains the remaining epochs of a run. All processes make the same calls at the same steps."""

    def __init__(
        self,
        context: TrainContext,
        position: Position,
        run_log: RunLog | None,
        observer: Observer,
    ) -> None:
        """Prepare a training that continues from `position`.

        Args:
            position: is updated while the training proceeds.
            run_log: log of the run in the first process; None in the others.
            observer: receives the progress of the first process.
        """
        self._context = context
        self._run, self._ranks, self._train_state = context.run, context.ranks, context.train_state
        self._log = run_log
        self._position = position
        self._observer = observer if self._ranks.is_first else Observer()
        self._stop = StopRequest()
        self._start = time.perf_counter() - position.seconds
        self._last_checkpoint = time.monotonic()

    def finish(self) -> StopRequest:
        """Train the remaining epochs. A signal stops the training early, with a checkpoint.

        Returns the request that stopped it, or one without a signal.
        """
        try:
            with stop_on_signals() as self._stop:
                return self._train()
        except RuntimeError:
            self._ranks.ignore_sigterm()
            raise

    def _train(self) -> StopRequest:
        position, total_steps = self._position, self._train_state.total_steps
        try:
            self._observer.on_start(self._run, step=position.step, total_steps=total_steps)
            while not is_finished(self._run, position):
                if position.step < self._epoch_end():
                    self._train_epoch()
                self._validate_epoch()
        except Stopped:
            self._save_checkpoint(epoch_done=False)
            return self._stop
        return StopRequest()

    def _epoch_end(self) -> int:
        """Return the number of steps at the end of the current epoch."""
        return (self._position.epoch + 1) * self._context.train.steps_per_epoch

    def _train_epoch(self) -> None:
        position, end = self._position, self._epoch_end()
        meter = StepMeter(self._train_state)
        for batch in meter.timed(iter(self._context.train)):
            meter.add(train_step(self._train_state, position.step, batch.images))
            position.step += 1
            self._observer.on_step(position.step)
            is_log_step = position.step % self._run.config.log_steps == 0 or position.step == end
            if is_log_step:
                self._log_steps(meter)
            # At the end of an epoch the loader must be exhausted before its state is saved.
            if position.step < end:
                self._check_stop()
                if is_log_step and self._ranks.broadcast_from_first(self._is_checkpoint_due):
                    self._save_checkpoint(epoch_done=False)
                    meter.reset()
        assert position.step == end, f"{position.step} steps where an epoch ends after {end}"

    def _check_stop(self) -> None:
        self._ranks.check(self._stop)

    def _validate_epoch(self) -> None:
        position, train_state = self._position, self._train_state
        log.debug("measuring held-out faces after epoch %d", position.epoch + 1)
        self._ranks.share_buffers(train_state.kept_model)
        validation = validate(
            train_state.kept_model,
            self._context.held_out,
            train_state.device,
            self._check_stop,
            self._ranks.sum,
        )
        position.epoch += 1
        if position.best_psnr_db is None or validation.psnr_db > position.best_psnr_db:
            position.best_psnr_db, position.best_epoch = validation.psnr_db, position.epoch
        metrics = EpochMetrics(
            step=position.step,
            epoch=position.epoch,
            valid_psnr_db=validation.psnr_db,
            best_psnr_db=position.best_psnr_db,
            seconds=self._seconds(),
        )
        self._ranks.run_on_first(lambda: self._record_epoch(validation, metrics))
        adversary = train_state.adversary
        if adversary is not None:
            adversary.rate = self._ranks.broadcast_from_first(adversary.balanced_rate)
        self._save_checkpoint(epoch_done=True)
        self._observer.on_epoch(metrics)

    def _record_epoch(self, validation: Validation, metrics: EpochMetrics) -> None:
        assert self._log is not None, "the first process writes the run"
        # The reconstructions of an adversarial model do not tell how good its new faces are.
        is_adversarial = self._train_state.adversary is not None
        if is_adversarial or metrics.epoch == self._position.best_epoch:
            save_model(self._train_state.kept_model, self._run.model_path)
        self._log.write(metrics)
        self._log.draw(
            validation.originals,
            validation.reconstructions,
            step=metrics.step,
            epoch=metrics.epoch,
        )

    def _log_steps(self, meter: StepMeter) -> None:
        step, train_state = self._position.step, self._train_state
        metrics = meter.read(
            self._ranks.sum,
            step=step,
            epoch=self._position.epoch + 1,
            lr=train_state.learning_rate(step - 1),
            seconds=self._seconds(),
        )
        if not math.isfinite(metrics.loss):
            raise self._ranks.error_on_first(self._diverged())
        if self._log is not None:
            self._log.write(metrics)
        self._observer.on_metrics(metrics)

    def _save_checkpoint(self, *, epoch_done: bool) -> None:
        log.debug("writing a checkpoint after step %d", self._position.step)
        loaders = self._ranks.gather_on_first(self._context.train.state_dict())
        random_states = self._ranks.gather_on_first(random_state(self._train_state.device))
        self._position.seconds = self._seconds()
        self._ranks.run_on_first(
            lambda: self._write_checkpoint(loaders, random_states, epoch_done=epoch_done)
        )
        self._last_checkpoint = time.monotonic()

    def _write_checkpoint(
        self,
        loaders: list[dict[str, str | int]],
        random_states: list[RandomState],
        *,
        epoch_done: bool,
    ) -> None:
        assert self._log is not None, "the first process writes the run"
        # The last step may have produced weights whose loss was not computed yet.
        if not all(
            tensor.isfinite().all() for tensor in self._train_state.model.state_dict().values()
        ):
            raise self._diverged()
        checkpoint = Checkpoint(
            position=self._position,
            loaders=loaders,
            metrics_bytes=self._log.sync(),
            dataset_hash=self._run.dataset_hash,
        )
        save_checkpoint(
            self._run.checkpoints_path,
            self._train_state,
            checkpoint,
            random_states,
            epoch_done=epoch_done,
            keep=self._run.config.keep_checkpoints,
        )

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
            f"start a new `run` with an `lr` below {self._run.config.peak_lr:g}"
        )
