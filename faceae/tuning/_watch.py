"""Callbacks for whoever watches a study."""

from collections.abc import Mapping
from typing import Any

from ._view import StudyView, TrialView


class TuneObserver:
    """Receives the progress of this process. The methods here do nothing: override some."""

    def on_study(self, study: StudyView, trials: int) -> None:
        """Called once before the first trial; the study is to have `trials` of them."""

    def on_trial(self, number: int, chosen: Mapping[str, Any]) -> None:
        """Called when trial `number` has chosen its values."""

    def on_epoch(self, number: int, epoch: int, epochs: int, value: float) -> None:
        """Called with the objective's value after each epoch, counted from 1."""

    def on_trial_end(self, trial: TrialView, best: TrialView | None) -> None:
        """Called when a trial is recorded, with the best one so far."""
