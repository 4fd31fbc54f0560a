"""Studies with a training that takes no time: counting, seeds, dead trials, files, bad input."""

import dataclasses
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy.exc

import faceae_shards
from faceae.errors import FaceaeError
from faceae.report import write_study_report
from faceae.runs import TrainConfig
from faceae.tuning import TuneConfig, make_space, promote, read_study, tune
from faceae.tuning import _runs as runs_module
from faceae.tuning._study import open_study

from .conftest import FakeTraining, diverge

replace = dataclasses.replace


def params_of(config: TuneConfig) -> list[dict[str, Any]]:
    return [dict(trial.params) for trial in read_study(config.study, name=config.name).trials]


@contextmanager
def raises_one_line(*named: str) -> Iterator[None]:
    with pytest.raises(FaceaeError) as caught:
        yield
    for text in named:
        assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_seed_decides_the_trials(training: FakeTraining, config: TuneConfig) -> None:
    first = tune(config).study
    assert [trial.number for trial in first.trials] == list(range(8))
    assert len({trial.params["lr"] for trial in first.trials}) == 8
    again = replace(config, study=Path(config.study).with_name("again"))
    assert [t.params for t in tune(again).study.trials] == [t.params for t in first.trials]
    other = replace(
        config, study=Path(config.study).with_name("other"), options={**config.options, "seed": 4}
    )
    assert [t.params for t in tune(other).study.trials] != [t.params for t in first.trials]


def test_break_between_trials_changes_nothing(training: FakeTraining, config: TuneConfig) -> None:
    tune(config)
    broken = replace(config, study=Path(config.study).with_name("broken"))
    tune(replace(broken, trials=3))
    tune(replace(broken, space=None, options={}, trials=5))
    assert len(params_of(broken)) == 5
    tune(broken)
    assert params_of(broken) == params_of(config)
    num_trainings = len(training.configs)
    tune(broken)
    assert len(training.configs) == num_trainings, "the study has all trials"


def test_optuna_reads_the_journal(training: FakeTraining, config: TuneConfig) -> None:
    result = tune(config)
    backend = optuna.storages.journal.JournalFileBackend(str(Path(config.study) / "journal.log"))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    best = result.study.best
    assert best is not None
    assert study.best_trial.number == best.number
    assert study.best_value == best.value == max(t.value or 0 for t in result.study.trials)


def test_worse_trials_are_pruned(training: FakeTraining, config: TuneConfig) -> None:
    states = [trial.state for trial in tune(replace(config, pruning="halving")).study.trials]
    assert states[0] == "complete"
    assert "pruned" in states
    config = replace(config, study=Path(config.study).with_name("none"), pruning="none")
    assert {trial.state for trial in tune(config).study.trials} == {"complete"}


def begin_and_die(config: TuneConfig) -> dict[str, Any]:
    """Leave a trial as a process does that is killed while it trains."""
    opened = open_study(config)
    trial = opened.study.ask()
    return opened.record.space.choose(trial, opened.record.options)


def test_dead_trial_does_not_count_and_is_repeated_once(
    training: FakeTraining, config: TuneConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(config, pruning="none", trials=3)
    dead = begin_and_die(config)
    trials = tune(config).study.trials
    assert [t.state for t in trials] == ["failed", *3 * ["complete"]]
    assert trials[1].params == dead
    assert "trial 0: its process has ended" in caplog.text
    config = replace(config, trials=5)
    begin_and_die(config)  # 4
    begin_and_die(config)  # 5 has the values of 4
    trials = tune(config).study.trials
    assert [t.state for t in trials[4:6]] == ["failed", "failed"]
    assert sum(t.params == trials[4].params for t in trials) == 2


def test_trial_killed_before_it_chose(training: FakeTraining, config: TuneConfig) -> None:
    open_study(config).study.ask()
    states = [trial.state for trial in tune(replace(config, trials=1)).study.trials]
    assert states == ["failed", "complete"]


def test_trial_of_a_living_process_is_left_alone(
    training: FakeTraining, config: TuneConfig
) -> None:
    opened = open_study(config)
    assert opened.locks is not None
    trial = opened.study.ask()
    with opened.locks.hold(trial.number):
        result = tune(replace(config, trials=2))
        assert [t.state for t in result.study.trials] == ["running", "complete"]
        assert result.num_running == 1


def test_trial_that_ends_while_it_is_looked_at_is_not_repeated(
    training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_study(config)
    trial = opened.study.ask()
    assert opened.locks is not None

    def end(number: int) -> bool:
        opened.study.tell(number, 20.0)
        return False

    monkeypatch.setattr(opened.locks, "is_held", end)
    opened.fail_dead()
    assert [each.state.name for each in opened.study.get_trials()] == ["COMPLETE"]
    assert trial.number == 0


def test_runs_elsewhere(training: FakeTraining, config: TuneConfig, tmp_path: Path) -> None:
    best = tune(replace(config, runs=tmp_path / "runs", trials=2)).study.best
    assert best is not None
    assert best.run == tmp_path / "runs" / "trials" / f"{best.number:05}"
    assert (best.run / "model.safetensors").exists()
    assert not (Path(config.study) / "trials").exists()


def test_page_about_trials_without_a_value(
    training: FakeTraining, config: TuneConfig, tmp_path: Path
) -> None:
    training.begun = diverge
    tune(replace(config, trials=1))
    running = open_study(config).study.ask()
    running.report(20.0, 1)
    write_study_report(read_study(config.study), tmp_path / "report.html")
    assert "1 pruned, 1 running" in (tmp_path / "report.html").read_text()


def test_only_the_best_keeps_its_weights(training: FakeTraining, config: TuneConfig) -> None:
    study = tune(config).study
    assert study.best is not None
    folders = sorted((Path(config.study) / "trials").iterdir())
    assert [int(folder.name) for folder in folders] == list(range(8))
    with_weights = [f for f in folders if (f / "model.safetensors").exists()]
    assert with_weights == [study.best.run]
    assert [f for f in folders if (f / "checkpoints").exists()] == with_weights
    assert all((folder / "metrics.jsonl").exists() for folder in folders)
    assert all(given.keep_checkpoints == 1 for given in training.configs)
    assert list((Path(config.study) / "locks").iterdir()) == [
        Path(config.study) / "locks" / "start.lock"
    ]


def test_promoted_run(
    training: FakeTraining, config: TuneConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "read_run", lambda path: path)
    monkeypatch.setattr(runs_module, "write_run", lambda run: None)
    study, out = tune(config).study, tmp_path / "new" / "winner"
    assert study.best is not None
    assert study.best.run is not None
    promote(study, out)
    weights = (study.best.run / "model.safetensors").read_bytes()
    assert (out / "model.safetensors").read_bytes() == weights
    assert not (out / ".lock").exists()
    promote(study, out)  # as a second process does
    (out / "model.safetensors").write_text("of another run")
    with raises_one_line(str(out), "`promote`"):
        promote(study, out)
    (study.best.run / "model.safetensors").unlink()
    with raises_one_line(str(study.best.host), "promote it there"):
        promote(study, tmp_path / "elsewhere")


def test_diverged_trial_counts_as_a_bad_one(training: FakeTraining, config: TuneConfig) -> None:
    training.begun = diverge
    study = tune(replace(config, trials=2)).study
    assert [trial.state for trial in study.trials] == ["pruned", "pruned"]
    assert study.trials[0].note == "the loss is not finite at step 7"
    assert study.best is None
    with raises_one_line("no trial is complete"):
        promote(study, Path("out"))


def test_training_that_cannot_begin_ends_the_study(
    training: FakeTraining, config: TuneConfig
) -> None:
    training.before = diverge
    with raises_one_line("the loss is not finite"):
        tune(config)
    assert [trial.state for trial in read_study(config.study).trials] == ["failed"]


def test_stopped_trial_is_repeated(training: FakeTraining, config: TuneConfig) -> None:
    config = replace(config, pruning="none")
    training.stop = signal.SIGTERM
    result = tune(config)
    assert result.stopped_by == signal.SIGTERM
    training.stop = None
    trials = tune(replace(config, trials=1)).study.trials
    assert [trial.state for trial in trials] == ["failed", "complete"]
    assert trials[0].params == trials[1].params

    def interrupt(given: TrainConfig) -> None:
        raise KeyboardInterrupt

    training.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        tune(config)
    training.before = lambda given: None
    trials = tune(replace(config, trials=2)).study.trials
    assert trials[2].params == trials[3].params


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"space": make_space({"width": [4, 8]})}, ["another search space", "width: [4, 8] here"]),
        ({"options": {"epochs": 5}}, ["`epochs` is 5 where the study has 4"]),
        ({"options": {"seed": 0}}, ["`seed` is 0 where the study has 3"]),
        ({"options": {"latent_size": 8}}, ["`latent_size` is 8", "its default"]),
        ({"objective": "samples"}, ["`objective` is samples where the study has psnr"]),
        ({"pruning": "none"}, ["`pruning`"]),
    ],
)
def test_joining_with_other_options(
    training: FakeTraining, config: TuneConfig, changes: dict[str, Any], named: list[str]
) -> None:
    tune(replace(config, trials=1))
    journal = Path(config.study) / "journal.log"
    before = journal.read_bytes()
    with raises_one_line(*named, str(config.study)):
        tune(replace(config, **changes))
    assert journal.read_bytes() == before


def test_joining_with_other_data(
    training: FakeTraining, config: TuneConfig, dataset_jpg: faceae_shards.Dataset
) -> None:
    tune(replace(config, trials=1))
    with raises_one_line(str(dataset_jpg.path), "not the data"):
        tune(replace(config, data=dataset_jpg.path))


def test_machines_of_a_study_may_differ(training: FakeTraining, config: TuneConfig) -> None:
    tune(replace(config, trials=1))
    tune(replace(config, trials=2, options={**config.options, "device": "auto", "cache": "none"}))
    assert training.configs[-1].cache == "none"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"space": None}, "needs a search space"),
        ({"options": {"lr": 0.1}}, "`lr` is both given and searched"),
        ({"options": {"epoch": 3}}, "did you mean epochs?"),
        ({"space": make_space({"kl_weight": [0.1, 1.0]})}, "`kl_weight` belongs to"),
        ({"space": make_space({"batch_size": [1, 8]})}, "`batch_size` must be at least 2"),
        ({"space": make_space({"model": ["plain", "plane"]})}, "plane"),
    ],
)
def test_new_study_that_cannot_be(
    training: FakeTraining, config: TuneConfig, changes: dict[str, Any], named: str
) -> None:
    with raises_one_line(named):
        tune(replace(config, **changes))
    assert not Path(config.study).exists()


def test_line_that_was_not_finished_is_cut_off(training: FakeTraining, config: TuneConfig) -> None:
    tune(replace(config, trials=2))
    journal = Path(config.study) / "journal.log"
    with journal.open("a") as file:
        file.write('{"op_code":4,"wor')
    assert len(read_study(config.study).trials) == 2
    assert len(tune(replace(config, trials=3)).study.trials) == 3


def test_journal_is_synced_once_a_trial(
    training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are complete for other processes at once; a sync takes as long as some steps."""
    tune(replace(config, trials=1))
    lengths: list[int] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        lengths.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    tune(replace(config, trials=3))
    text = (Path(config.study) / "journal.log").read_text()
    ends = [line for line in text.splitlines() if '"datetime_complete"' in line]
    assert len(ends) == 3
    assert len(lengths) == 2
    assert text.encode()[: lengths[-1]].decode().endswith(ends[-1] + "\n")


def test_losers_that_cannot_be_removed(
    training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(runs_module, "remove", remove)
    with pytest.raises(PermissionError, match="trials"):
        tune(replace(config, pruning="none"))


@pytest.mark.parametrize("text", ["no JSON\n", '{"other": 1}\n', "3\n"])
def test_damaged_journal(training: FakeTraining, config: TuneConfig, text: str) -> None:
    tune(replace(config, trials=1))
    journal = Path(config.study) / "journal.log"
    journal.write_text(text + journal.read_text())
    for work in (lambda: tune(config), lambda: read_study(config.study)):
        with raises_one_line(str(journal), "damaged"):
            work()


def test_study_of_another_version_or_maker(training: FakeTraining, config: TuneConfig) -> None:
    opened = open_study(config)
    opened.study.set_user_attr("faceae", {**opened.record.to_json(), "version": 2})
    with raises_one_line("version 2", str(config.study)):
        tune(config)
    opened.study.set_user_attr("faceae", {"version": 1})
    with raises_one_line("damaged"):
        tune(config)
    opened.study.set_user_attr("faceae", None)
    with raises_one_line("not made by `faceae tune`"):
        read_study(config.study)


def test_lock_left_by_a_killed_process_is_taken_over(
    training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna waits for half a minute, unless a test shortens it."""
    tune(replace(config, trials=1))
    journal = Path(config.study) / "journal.log"
    journal.with_name("journal.log.lock").symlink_to(journal)
    lock = optuna.storages.journal.JournalFileSymlinkLock
    make = lock.__init__
    monkeypatch.setattr(lock, "__init__", lambda self, path: make(self, path, 3))
    assert len(tune(replace(config, trials=2)).study.trials) == 2


def test_torchrun_is_refused(
    training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with raises_one_line("torchrun"):
        tune(config)


class TestDatabase:
    """The same in a database."""

    @pytest.fixture
    def config(self, config: TuneConfig, tmp_path: Path) -> TuneConfig:
        url = f"sqlite:///{tmp_path}/studies.db"
        return replace(config, study=url, runs=tmp_path / "runs", pruning="none", trials=2)

    def test_two_studies(self, training: FakeTraining, config: TuneConfig) -> None:
        result = tune(config)
        assert [trial.state for trial in result.study.trials] == ["complete", "complete"]
        assert len(list((config.runs or Path()).rglob("model.safetensors"))) == 1
        assert len(params_of(config)) == 2
        other = replace(config, name="other", runs=Path(f"{config.runs}2"))
        tune(replace(other, trials=1))
        assert (len(params_of(config)), len(params_of(other))) == (2, 1)

    def test_silent_trial_is_repeated(
        self, training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = open_study(config)
        with warnings.catch_warnings(action="ignore"):
            trial = opened.study.ask()
        chosen = opened.record.space.choose(trial, {})
        opened.study._storage.record_heartbeat(trial._trial_id)
        assert tune(config).num_running == 1
        storage = optuna.storages.RDBStorage
        monkeypatch.setattr(
            storage, "_get_stale_trial_ids", lambda self, study_id: [trial._trial_id]
        )
        trials = tune(config).study.trials
        assert [t.state for t in trials] == ["failed", "complete", "complete"]
        assert trials[2].params == chosen

    def test_two_processes_begin_at_once(
        self, training: FakeTraining, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = open_study(replace(config, name="first"))
        storage, record = str(config.study), first.record.to_json()
        other = optuna.create_study(study_name="faceae", storage=storage, direction="maximize")

        def write_record(seconds: float) -> None:
            other.set_user_attr("faceae", record)

        monkeypatch.setattr(time, "sleep", write_record)
        assert open_study(config).record == first.record

    @pytest.mark.parametrize(
        ("kind", "what"),
        [
            (sqlalchemy.exc.IntegrityError, "duplicate key"),  # PostgreSQL
            (sqlalchemy.exc.OperationalError, "table studies already exists"),  # SQLite
        ],
    )
    def test_two_processes_make_the_tables_at_once(
        self,
        training: FakeTraining,
        config: TuneConfig,
        monkeypatch: pytest.MonkeyPatch,
        kind: type[sqlalchemy.exc.DBAPIError],
        what: str,
    ) -> None:
        error = kind("create table", None, Exception(what))
        errors = [error, error]
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        make = optuna.storages.RDBStorage.__init__

        def connect(*args: Any, **options: Any) -> None:
            if errors:
                raise errors.pop()
            make(*args, **options)

        monkeypatch.setattr(optuna.storages.RDBStorage, "__init__", connect)
        assert len(tune(config).study.trials) == 2

    def test_bad_place(self, config: TuneConfig) -> None:
        with raises_one_line("`runs`"):
            replace(config, runs=None)
        with raises_one_line("no-such://me:***@host/db", "cannot be used"):
            tune(replace(config, study="no-such://me:secret@host/db"))
        with raises_one_line("cannot be used"):
            tune(replace(config, study="sqlite:////no/such/folder/db"))
        with raises_one_line("holds no study named absent"):
            read_study(config.study, name="absent")
