"""One trial: a training whose quality is reported after each epoch."""

import logging
import signal
import socket
import time
from contextlib import ExitStack
from typing import Any

import torch

from faceae.device import resolve_device
from faceae.errors import FaceaeError
from faceae.evaluation.samples import SampleConfig, evaluate_samples
from faceae.latent import fit_latents, save_prior
from faceae.model import load_model
from faceae.runs import EpochMetrics, Run
from faceae.training import Observer, TrainResult, train

from ._config import make_train_config
from ._locks import enqueue_again
from ._storage import import_optuna
from ._study import OpenStudy
from ._watch import TuneObserver

log = logging.getLogger(__name__)

TRAIN_SECONDS = "train_seconds"
"""Attribute of a trial: the wall time of its training, without that of reporting to the study."""
RUN = "run"
HOST = "host"
NOTE = "note"
"""Attributes of a trial: the folder of its run, the machine of it, and why it ended early."""


class StoppedError(Exception):
    """A signal has stopped the trial."""

    def __init__(self, number: signal.Signals) -> None:
        """Remember the signal."""
        super().__init__(f"stopped by {number.name}")
        self.signal = number


class SurplusError(Exception):
    """Other processes have begun the last trials in the same moment."""


class TrialRunner:
    """Runs one trial; `optuna.Study.optimize` calls it."""

    def __init__(self, opened: OpenStudy, stack: ExitStack, observer: TuneObserver) -> None:
        """Prepare a trial.

        Args:
            stack: holds the trial's lock until the trial is recorded.
            observer: receives the progress.
        """
        self._opened, self._stack, self._observer = opened, stack, observer
        self.number: int | None = None

    def __call__(self, trial: Any) -> float:
        """Train, and return the objective's value."""
        chosen = self._begin(trial)
        opened = self._opened
        path = opened.place.run_path(trial.number)
        trial.set_user_attr(RUN, str(path))
        trial.set_user_attr(HOST, socket.gethostname())
        self._observer.on_trial(trial.number, chosen)
        watch = _TrialWatch(opened, trial, self._observer)
        start = time.perf_counter()
        try:
            config = make_train_config(opened.config.data, path, opened.config.options, chosen)
            result = train(config, watch)
        except KeyboardInterrupt:
            self._try_again(trial)
            raise
        except (FaceaeError, torch.OutOfMemoryError) as error:
            if not watch.has_begun:
                raise
            # A learning rate or a width that cannot work is what a search is for.
            trial.set_user_attr(NOTE, " ".join(str(error).split()))
            raise import_optuna().TrialPruned from error
        finally:
            seconds = time.perf_counter() - start - watch.report_seconds
            trial.set_user_attr(TRAIN_SECONDS, seconds)
        return self._finish(trial, result, watch)

    def _begin(self, trial: Any) -> dict[str, Any]:
        """Hold the trial, choose its values, and let the next process begin one."""
        opened = self._opened
        if opened.locks is not None:
            self._stack.enter_context(opened.locks.hold(trial.number))
        self.number = trial.number
        if opened.count(before=trial.number) >= opened.config.trials:
            raise SurplusError
        trial.study.sampler = _make_sampler(opened.record.seed, trial.number)
        chosen = opened.record.space.choose(trial, opened.record.options)
        if opened.locks is not None:
            opened.locks.started()
        return chosen

    def _finish(self, trial: Any, result: TrainResult, watch: "_TrialWatch") -> float:
        if result.stopped_by is not None:
            self._try_again(trial)
            raise StoppedError(result.stopped_by)
        if self._opened.record.objective == "samples":
            return watch.values[-1]
        best = result.position.best_psnr_db
        assert best is not None, "a finished training has been validated"
        # Of an adversarial model the last weights are kept, else the best.
        return watch.values[-1] if result.run.config.model == "adversarial" else best

    def _try_again(self, trial: Any) -> None:
        """Let the next process that works on the study begin with the values of this trial."""
        enqueue_again(self._opened.study, trial, {})


def _make_sampler(seed: int, number: int) -> Any:
    """Return the sampler of one trial. Processes that share a seed must not choose alike."""
    mixed = (seed * 1_000_003 + number) % 2**32
    return import_optuna().samplers.TPESampler(seed=mixed)


class _TrialWatch(Observer):
    """Reports the quality after each epoch, and ends a trial that is worse than others."""

    def __init__(self, opened: OpenStudy, trial: Any, observer: TuneObserver) -> None:
        self._opened, self._trial, self._observer = opened, trial, observer
        self.has_begun = False
        self.values: list[float] = []
        self.report_seconds = 0.0

    def on_start(self, run: Run, *, step: int, total_steps: int) -> None:
        """Remember the run."""
        self._run, self.has_begun = run, True

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Report the objective."""
        value = self._measure(metrics)
        self.values.append(value)
        start = time.perf_counter()
        try:
            self._report(metrics.epoch, value)
        finally:
            self.report_seconds += time.perf_counter() - start

    def _report(self, epoch: int, value: float) -> None:
        self._trial.report(value, epoch)
        epochs = self._run.config.epochs
        self._observer.on_epoch(self._trial.number, epoch, epochs, value)
        if epoch < epochs and self._trial.should_prune():
            raise import_optuna().TrialPruned

    def _measure(self, metrics: EpochMetrics) -> float:
        record = self._opened.record
        if record.objective == "psnr":
            return metrics.valid_psnr_db
        return measure_samples(self._run, self._opened, record.samples)


def measure_samples(run: Run, opened: OpenStudy, samples: int) -> float:
    """Fit a run's latents as they are, draw new faces, and return their Fréchet distance."""
    dataset = opened.dataset
    model = load_model(run.model_path, resolve_device(run.config.device))
    fitted = fit_latents(model, dataset, loader=run.config.loader)
    assert fitted is not None, "a trial runs in one process"
    save_prior(fitted.prior, run.latents_path)
    config = SampleConfig(
        samples=samples,
        split=run.held_out_split,
        device=run.config.device,
        loader=run.config.loader,
    )
    return evaluate_samples(run, dataset, None, config).new_faces.frechet_distance
