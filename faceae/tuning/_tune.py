"""Works on a study until it has all of its trials."""

import logging
import signal
from contextlib import ExitStack
from dataclasses import dataclass

from ._config import TuneConfig
from ._runs import Cleaner
from ._storage import explain_storage, import_optuna
from ._study import OpenStudy, open_study
from ._trial import StoppedError, SurplusError, TrialRunner
from ._view import StudyView, TrialView, view_study, view_trial
from ._watch import TuneObserver

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TuneResult:
    """A study after this process has worked on it."""

    study: StudyView
    stopped_by: signal.Signals | None
    """The signal that stopped this process. None: the study has all of its trials, or other
    processes work on the last ones."""

    @property
    def num_running(self) -> int:
        """Trials that other processes work on."""
        return sum(trial.state == "running" for trial in self.study.trials)


def tune(config: TuneConfig, observer: TuneObserver | None = None) -> TuneResult:
    """Run trials of a study until it has `config.trials` of them.

    Several processes and machines may work on a study; each calls this with the same options. A
    trial whose process was killed is noticed by the next process that begins one, and its values
    are tried again. The same seed gives the same trials, if one process works on the study alone
    and without a break.

    Raises:
        FaceaeError, ShardsError: an option or the dataset cannot be used or differs from the
            study's, or a training cannot begin.
    """
    opened, watch = open_study(config), observer or TuneObserver()
    watch.on_study(view(opened), config.trials)
    stopped_by = None
    with Cleaner(opened.place) as cleaner:
        try:
            while run_next(opened, watch, cleaner) is not None:
                pass
        except StoppedError as error:
            stopped_by = error.signal
    with explain_storage(opened.place):
        return TuneResult(study=view(opened), stopped_by=stopped_by)


def run_next(opened: OpenStudy, observer: TuneObserver, cleaner: Cleaner) -> TrialView | None:
    """Run one trial. Return it, or None if the study has all that were asked for.

    Args:
        cleaner: removes what the trial leaves, if it is not the best.

    Raises:
        StoppedError: a signal has stopped the trial.
    """
    with explain_storage(opened.place), ExitStack() as stack:
        with opened.starting():
            if opened.count() >= opened.config.trials:
                return None
            runner = TrialRunner(opened, stack, observer)
            try:
                opened.study.optimize(runner, n_trials=1)
            except SurplusError:
                return None
            except import_optuna().exceptions.UpdateFinishedTrialError:
                log.warning(
                    "trial %s was silent for too long and taken for dead; its values are tried "
                    "again",
                    runner.number,
                )
        assert runner.number is not None
        trial = view_trial(opened.study.get_trials(deepcopy=False)[runner.number])
        study = view(opened)
    cleaner.drop_losers(study)
    observer.on_trial_end(trial, study.best)
    return trial


def view(opened: OpenStudy, *, importances: bool = False) -> StudyView:
    """Return the study as it is now."""
    return view_study(opened.place, opened.record, opened.study, importances=importances)
