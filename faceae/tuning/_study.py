"""A study that a process works on: begun or joined."""

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from faceae.errors import FaceaeError
from faceae.runs import TrainConfig
from faceae_shards import Dataset, open_dataset

from ._config import TuneConfig
from ._locks import TrialLocks, fail_dead_trials, repeat_trial
from ._record import StudyRecord, check_agreement, plan_study
from ._storage import Place, explain_storage, find_place, import_optuna, open_storage

_RECORD = "faceae"
"""Attribute of the study that holds its StudyRecord."""
_RECORD_LOOKS = 10
_RECORD_LOOK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class OpenStudy:
    """A study that a process works on."""

    config: TuneConfig
    """With absolute paths."""
    place: Place
    record: StudyRecord
    study: Any
    """The `optuna.Study`."""
    dataset: Dataset
    locks: TrialLocks | None
    """None: a database notices dead trials by itself."""

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let this process alone begin a trial, and notice the dead ones before."""
        with nullcontext() if self.locks is None else self.locks.starting():
            self.fail_dead()
            yield

    def fail_dead(self) -> None:
        """Mark trials of processes that have ended as failed."""
        if self.locks is not None:
            fail_dead_trials(self.study, self.locks)
        else:
            optuna = import_optuna()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                optuna.storages.fail_stale_trials(self.study)

    def count(self, before: int | None = None) -> int:
        """Return how many trials are done or at work, of those with a number below `before`."""
        states = import_optuna().trial.TrialState
        counted = (states.COMPLETE, states.PRUNED, states.RUNNING)
        trials = self.study.get_trials(deepcopy=False, states=counted)
        return sum(before is None or trial.number < before for trial in trials)


def open_study(config: TuneConfig) -> OpenStudy:
    """Begin a study, or join it if there is one already.

    Raises:
        FaceaeError, ShardsError: an option or the dataset cannot be used, differs from the study's,
            or the study cannot be opened. Nothing is written then.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise FaceaeError(
            "a trial trains in one process; start `faceae tune` several times, without torchrun"
        )
    config = config.absolute()
    import_optuna()
    place, dataset = find_place(config), open_dataset(config.data)
    is_new = place.journal is not None and not place.journal.is_file()
    planned = plan_study(config, dataset) if is_new else None
    storage = open_storage(place, repeat_trial)
    locks = None if place.journal is None else TrialLocks(place.journal.parent)
    with explain_storage(place), nullcontext() if locks is None else locks.starting():
        study, record = _begin_or_join(config, place, storage, dataset, planned)
    return OpenStudy(
        config=config, place=place, record=record, study=study, dataset=dataset, locks=locks
    )


def load_study(place: Place) -> tuple[Any, StudyRecord]:
    """Open a study to read it.

    Raises:
        FaceaeError: there is none, or `faceae tune` has not made it.
    """
    optuna = import_optuna()
    storage = open_storage(place, lambda study, trial: None, writes=False)
    try:
        with explain_storage(place):
            study = optuna.load_study(study_name=place.name, storage=storage)
    except KeyError:
        raise FaceaeError(f"{place.title}: holds no study named {place.name}") from None
    return study, _read_record(study, place)


def _begin_or_join(
    config: TuneConfig, place: Place, storage: Any, dataset: Dataset, planned: StudyRecord | None
) -> tuple[Any, StudyRecord]:
    """Return the study and its record. A process that has just begun the same study is joined."""
    optuna = import_optuna()
    try:
        study = optuna.load_study(study_name=place.name, storage=storage)
    except KeyError:
        record = planned or plan_study(config, dataset)
        direction = "maximize" if record.maximizes else "minimize"
        try:
            study = optuna.create_study(study_name=place.name, storage=storage, direction=direction)
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(study_name=place.name, storage=storage)
        else:
            study.set_user_attr(_RECORD, record.to_json())
    if place.journal is None:
        _wait_for_record(study)
    record = _read_record(study, place)
    check_agreement(record, config, dataset)
    study.pruner = _make_pruner(record)
    return study, record


def _wait_for_record(study: Any) -> None:
    """Wait while another process may be about to write the record of a study in a database."""
    for _ in range(_RECORD_LOOKS):
        if _RECORD in study.user_attrs:
            return
        time.sleep(_RECORD_LOOK_S)


def _read_record(study: Any, place: Place) -> StudyRecord:
    stored = study.user_attrs.get(_RECORD)
    if stored is None:
        raise FaceaeError(
            f"{place.title}: the study {place.name} was not made by `faceae tune`; name another "
            "folder or database as `study`, or another `name`"
        )
    return StudyRecord.from_json(stored, place.title)


def _make_pruner(record: StudyRecord) -> Any:
    pruners = import_optuna().pruners
    if record.pruning == "none":
        return pruners.NopPruner()
    if record.pruning == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=1)
    epochs = record.options.get("epochs", TrainConfig.epochs)
    return pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
