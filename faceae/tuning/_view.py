"""A study as its page and tables show it, without Optuna's types."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ._record import StudyRecord
from ._storage import Place, import_optuna
from ._study import load_study

_MIN_TRIALS = 6
"""Trials from which on importances are more than chance."""

_MIN_GOOD_TRIALS = 10
"""Trials that count as good ones; at most half of all. With two or three, chance would decide."""

TrialState = Literal["complete", "pruned", "running", "failed", "waiting"]


@dataclass(frozen=True, kw_only=True)
class TrialView:
    """One trial."""

    number: int
    state: TrialState
    value: float | None
    """The objective's value of a complete trial, or the last one of a pruned trial."""
    params: Mapping[str, Any]
    """What it has chosen."""
    epochs: tuple[tuple[int, float], ...]
    """Number of epochs, from 1, and the value after them."""
    seconds: float | None
    """From its beginning to its end."""
    train_seconds: float | None
    """Wall time of its training, without that of reporting to the study."""
    run: Path | None
    """Folder of its run, on the machine `host`."""
    host: str | None
    note: str | None
    """Why it has ended early."""


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study."""

    title: str
    """Where it is stored."""
    record: StudyRecord
    trials: tuple[TrialView, ...]
    best: TrialView | None
    """The complete trial with the best value."""
    importances: Mapping[str, float]
    """Share of each searched option in the difference between the trials; most important first.
    Empty: too few trials."""

    def list_best(self, count: int) -> list[TrialView]:
        """Return the best complete trials, best first."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        sign = -1 if self.record.maximizes else 1
        return sorted(complete, key=lambda trial: sign * (trial.value or 0.0))[:count]


def read_study(study: Path | str, *, name: str = "faceae", importances: bool = True) -> StudyView:
    """Read a study, at which processes may be at work.

    Args:
        study: its folder, or the URL of a database.
        name: its name in a database.
        importances: whether to compute how much each option matters.

    Raises:
        FaceaeError: there is none, or `faceae tune` has not made it.
    """
    place = Place(study=study, name=name, folder=None)
    opened, record = load_study(place)
    return view_study(place, record, opened, importances=importances)


def view_study(
    place: Place, record: StudyRecord, study: Any, *, importances: bool = True
) -> StudyView:
    """Return an open study as it is now."""
    frozen = study.get_trials(deepcopy=False)
    trials = tuple(view_trial(trial) for trial in frozen)
    complete = [trial for trial in trials if trial.state == "complete"]
    pick = max if record.maximizes else min
    best = pick(complete, key=lambda trial: trial.value or 0.0) if complete else None
    return StudyView(
        title=place.title,
        record=record,
        trials=trials,
        best=best,
        importances=_measure_importances(study, record) if importances else {},
    )


def view_trial(trial: Any) -> TrialView:
    """Return an `optuna.FrozenTrial` as a plain value."""
    epochs = tuple(sorted(trial.intermediate_values.items()))
    state = {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())
    value = trial.value
    if state == "pruned" or value is None:
        value = epochs[-1][1] if epochs else None
    duration, attributes = trial.duration, trial.user_attrs
    return TrialView(
        number=trial.number,
        state=state,
        value=value,
        params=dict(trial.params),
        epochs=epochs,
        seconds=None if duration is None else duration.total_seconds(),
        train_seconds=attributes.get("train_seconds"),
        run=Path(attributes["run"]) if "run" in attributes else None,
        host=attributes.get("host"),
        note=attributes.get("note"),
    )


def _measure_importances(study: Any, record: StudyRecord) -> dict[str, float]:
    """Return PED-ANOVA's importances of the options that all trials have; nothing of few trials.

    Trials are compared by their values after the first epoch. Complete trials alone would be a
    choice: pruning has left those that are alike.
    """
    optuna = import_optuna()
    states = optuna.trial.TrialState
    first = [
        optuna.trial.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            value=trial.intermediate_values[1],
        )
        for trial in study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
        if 1 in trial.intermediate_values
    ]
    if len(first) < _MIN_TRIALS:
        return {}
    compared = optuna.create_study(direction="maximize" if record.maximizes else "minimize")
    compared.add_trials(first)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            share = max(0.1, min(0.5, _MIN_GOOD_TRIALS / len(first)))
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
            measured = optuna.importance.get_param_importances(compared, evaluator=evaluator)
    except (RuntimeError, ValueError):  # all of equal value
        return {}
    return {name: float(share) for name, share in measured.items() if share == share}
