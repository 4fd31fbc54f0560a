"""Trainings that were stopped or killed and continue."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import faceae_shards
from faceae.errors import FaceaeError
from faceae.model import load_model, weights_hash
from faceae.runs import TrainConfig, read_run
from faceae.training import (
    Observer,
    TrainResult,
    Validation,
    _loop,
    _plan,
    _trainer,
    resume,
    train,
)

STEPS_PER_EPOCH = 3
TOTAL_STEPS = 2 * STEPS_PER_EPOCH


@pytest.mark.parametrize("loader", ["webdataset", "dali"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_resumed_run_ends_with_the_weights_of_an_unstopped_one(
    config: TrainConfig,
    step: int,
    loader: str,
    checkpoint_names: Any,
    final_hash: Any,
    without_times: Any,
    signal_at: Any,
) -> None:
    """Step 3 and 6 end an epoch: the signal then comes before the epoch is measured."""
    if loader == "dali":
        pytest.importorskip("nvidia.dali")
    config = replace(config, loader=loader)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    expected = train(unstopped)

    stopped = train(config, signal_at(step))
    assert stopped.stopped_by is signal.SIGTERM
    assert stopped.position.step == step
    assert checkpoint_names(config.run)[-1].endswith(f"-step-{step:08}")
    result = resume(config.run, config.data, {})
    assert result.stopped_by is None
    assert final_hash(config.run) == final_hash(unstopped.run)
    assert replace(result.position, seconds=0.0) == replace(expected.position, seconds=0.0)
    last = [line for line in without_times(config.run) if "valid_psnr_db" in line]
    assert last == [line for line in without_times(unstopped.run) if "valid_psnr_db" in line]


def test_noise_goes_on_where_it_stopped(
    config: TrainConfig, final_hash: Any, signal_at: Any
) -> None:
    config = replace(config, model="variational", clip_norm=1.0, accumulate=2)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    train(config, signal_at(2))
    resume(config.run, config.data, {})
    assert final_hash(config.run) == final_hash(unstopped.run)


@pytest.mark.parametrize("step", [2, 3])
def test_adversary_goes_on_where_it_stopped(
    config: TrainConfig, final_hash: Any, signal_at: Any, step: int
) -> None:
    """Discriminator, its optimiser, the averaged weights and the moments are in the checkpoint."""
    config = replace(config, model="adversarial")
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    train(config, signal_at(step))
    resume(config.run, config.data, {})
    assert final_hash(config.run) == final_hash(unstopped.run)


def test_resume_of_a_stop_before_its_first_step(
    config: TrainConfig, checkpoint_names: Any, signal_at: Any
) -> None:
    train(config, signal_at(STEPS_PER_EPOCH))

    before = checkpoint_names(config.run)

    class SignalAtStart(Observer):
        def on_start(self, run: object, *, step: int, total_steps: int) -> None:
            assert (step, total_steps) == (STEPS_PER_EPOCH, TOTAL_STEPS)
            signal.raise_signal(signal.SIGTERM)

    # The epoch is trained but not measured, and stays so.
    result = resume(config.run, config.data, {}, SignalAtStart())
    assert result.stopped_by is signal.SIGTERM
    assert checkpoint_names(config.run) == before
    assert resume(config.run, config.data, {}).position.epoch == 2


def test_finished_run_is_left_as_it_is(config: TrainConfig) -> None:
    train(config)
    before = {path: path.read_bytes() for path in config.run.rglob("*.*") if path.is_file()}
    result = resume(config.run, config.data, {})
    assert result.position.epoch == 2
    after = {path: path.read_bytes() for path in before}
    assert after == before


def test_finished_run_says_so(config: TrainConfig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "faceae")
    train(config)
    assert "already finished" not in caplog.text
    resume(config.run, config.data, {})
    assert "already finished; more `epochs` extend it" in caplog.text


def test_finished_run_is_extended(
    config: TrainConfig, caplog: pytest.LogCaptureFixture, read_metrics: Any, signal_at: Any
) -> None:
    caplog.set_level("INFO", "faceae")
    train(config)
    stopped = resume(config.run, config.data, {"epochs": 6}, signal_at(TOTAL_STEPS + 4))
    assert "extended from 2 to 6 epochs" in caplog.text
    assert stopped.position.step == TOTAL_STEPS + 4
    # The run has its new end from then on.
    assert resume(config.run, config.data, {}).position.epoch == 6
    rates = [line["lr"] for line in read_metrics(config.run) if "lr" in line]
    last_of_old, new = rates[TOTAL_STEPS // config.log_steps], rates[len(rates) // 2 :]
    assert max(new) > 2 * last_of_old
    assert rates[-1] < 0.2 * config.peak_lr


def test_extension_ends_alike_with_and_without_a_stop(
    config: TrainConfig, signal_at: Any, final_hash: Any
) -> None:
    unstopped = replace(config, run=config.run.with_name("unstopped"), epochs=1)
    train(unstopped)
    resume(unstopped.run, config.data, {"epochs": 2})
    train(replace(config, epochs=1))
    resume(config.run, config.data, {"epochs": 2}, signal_at(STEPS_PER_EPOCH + 1))
    resume(config.run, config.data, {"epochs": 2})
    assert final_hash(config.run) == final_hash(unstopped.run)


def test_fewer_epochs_are_refused(config: TrainConfig) -> None:
    train(config)
    with pytest.raises(FaceaeError, match="`epochs` is 1 where the run has 2"):
        resume(config.run, config.data, {"epochs": 1})


def test_early_stop_ends_a_run_that_can_be_extended(
    config: TrainConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = iter([9.0, 8.0, 7.0, 6.0, 5.0])
    measured = _trainer.validate

    def validate(*args: Any) -> Validation:
        return replace(measured(*args), psnr_db=next(worse))

    monkeypatch.setattr(_trainer, "validate", validate)
    caplog.set_level("INFO", "faceae")
    result = train(replace(config, epochs=9, early_stop=2))
    assert (result.position.epoch, result.position.best_epoch) == (3, 1)
    assert result.is_stalled
    assert resume(config.run, config.data, {}).position.epoch == 3
    assert "already finished" in caplog.text
    # The epochs without a better one are counted from where the run was extended.
    assert resume(config.run, config.data, {"epochs": 10}).position.epoch == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from faceae.training import TrainConfig, train

def killing_save(*args, **kwargs):
    # As the power may fail: after all files are written, before the folder gets its name.
    if args[2].position.epoch == 2:
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    return save_checkpoint(*args, **kwargs)

import faceae.training._trainer as trainer
import torch
torch.set_num_threads(1)
save_checkpoint, trainer.save_checkpoint = trainer.save_checkpoint, killing_save
train(TrainConfig(data=Path(sys.argv[1]), run=Path(sys.argv[2]), epochs=3, batch_size=8,
                  latent_size=16, width=4, init="random", amp=False, loader="webdataset",
                  log_steps=2))
"""


def test_killed_run_goes_on_from_its_last_checkpoint(
    config: TrainConfig, read_metrics: Any, checkpoint_names: Any, without_times: Any
) -> None:
    config = replace(config, epochs=3)
    arguments = [sys.executable, "-c", KILLED, str(config.data), str(config.run)]
    process = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    # Its second epoch is logged, but not checkpointed.
    assert [line["step"] for line in read_metrics(config.run)][-1] == 2 * STEPS_PER_EPOCH
    assert checkpoint_names(config.run) == ["epoch-0001", "epoch-0002.faceae-part"]
    (config.run / "model.safetensors.faceae-part").touch()

    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    resume(config.run, config.data, {})
    assert without_times(config.run) == without_times(unstopped.run)
    for name in ("model.safetensors", "checkpoints/epoch-0003/model.safetensors"):
        assert (config.run / name).read_bytes() == (unstopped.run / name).read_bytes()
    assert not list(config.run.rglob("*.faceae-part"))


def test_tensorboard_forgets_what_is_done_again(config: TrainConfig) -> None:
    train(config)
    newest = config.run / "checkpoints" / "epoch-0002"
    newest.rename(config.run / "set-aside")
    resume(config.run, config.data, {})
    events = EventAccumulator(str(config.run / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [2, 3, 4, 6]


def test_metrics_that_were_deleted_are_missed_aloud(
    config: TrainConfig, caplog: pytest.LogCaptureFixture, read_metrics: Any, signal_at: Any
) -> None:
    train(config, signal_at(4))
    (config.run / "metrics.jsonl").unlink()
    resume(config.run, config.data, {})
    assert "metrics.jsonl is shorter than it was" in caplog.text
    assert [line["step"] for line in read_metrics(config.run)] == [6, 6]


@pytest.mark.parametrize("step", [0, 2])
def test_run_killed_before_its_first_checkpoint_starts_again(
    config: TrainConfig,
    step: int,
    caplog: pytest.LogCaptureFixture,
    final_hash: Any,
    without_times: Any,
) -> None:
    """At step 0 there is nothing yet but run.json; after step 2 there is a line of metrics."""

    class Killed(Observer):
        def on_step(self, number: int) -> None:
            if number == step + 1:
                raise MemoryError

    with pytest.raises(MemoryError):
        train(config, Killed())
    if step == 0:
        for name in ("metrics.jsonl", "tensorboard", "grids"):
            path = config.run / name
            path.unlink() if path.is_file() else shutil.rmtree(path)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    resume(config.run, config.data, {})
    assert "no checkpoint to go on from; starting at the first step" in caplog.text
    assert final_hash(config.run) == final_hash(unstopped.run)
    assert without_times(config.run) == without_times(unstopped.run)


def test_run_begun_by_auto_on_a_cpu_goes_on_where_there_is_a_gpu(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, signal_at: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train(replace(config, device="auto"), signal_at(2))
    for module in (_loop, _plan):
        monkeypatch.setattr(
            module, "resolve_device", lambda name: torch.device("cpu" if name == "cpu" else "cuda")
        )
    assert resume(config.run, config.data, {"device": "cpu"}).position.epoch == 2


def test_two_trainings_of_one_run(config: TrainConfig) -> None:
    class Second(Observer):
        def on_step(self, step: int) -> None:
            with pytest.raises(FaceaeError, match="another process is training this run"):
                resume(config.run, config.data, {})

    train(replace(config, epochs=1), Second())
    assert resume(config.run, config.data, {}).position.epoch == 1


def test_resume_refuses_what_differs(
    config: TrainConfig, dataset_jpg: faceae_shards.Dataset, signal_at: Any
) -> None:
    train(config, signal_at(2))
    with pytest.raises(FaceaeError, match="`epochs` is 5 where the run has 2"):
        resume(config.run, config.data, {"epochs": 5})
    with pytest.raises(FaceaeError, match="not the data"):
        resume(config.run, dataset_jpg.path, {})


def test_epoch_restarted_with_another_batch(
    config: TrainConfig, signal_at: Any, checkpoint_names: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With batches of twelve an epoch has two steps, and the learning rate falls until step six."""
    train(replace(config, epochs=3), signal_at(5))
    learnt = config.run / "checkpoints" / "epoch-0001" / "model.safetensors"

    def stop_before_the_first_step(context: Any, position: Any, *_: object) -> None:
        model = load_model(learnt, torch.device("cpu"))
        assert weights_hash(context.train_state.model) == weights_hash(model)
        assert len(context.train_state.optimizer.state) == len(list(model.parameters()))
        assert (position.step, context.train_state.total_steps) == (2, 6)
        raise KeyboardInterrupt

    monkeypatch.setattr(_loop, "Trainer", stop_before_the_first_step)
    with pytest.raises(KeyboardInterrupt):
        resume(config.run, config.data, {"batch_size": 12}, restart_epoch=True)
    monkeypatch.undo()
    assert checkpoint_names(config.run) == ["epoch-0001"]
    # What was changed is the run's own from here on.
    result = resume(config.run, config.data, {}, restart_epoch=True)
    assert (result.position.step, result.position.epoch) == (6, 3)
    assert read_run(config.run).config.batch_size == 12


def test_restart_before_the_first_epochs_end_is_from_the_first_step(
    config: TrainConfig, signal_at: Any, final_hash: Any
) -> None:
    train(config, signal_at(2))
    resume(config.run, config.data, {}, restart_epoch=True)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    assert final_hash(config.run) == final_hash(unstopped.run)


def test_checkpoint_of_another_run(config: TrainConfig, signal_at: Any) -> None:
    train(config, signal_at(2))
    other = replace(config, run=config.run.with_name("other"), width=8)
    train(other, signal_at(4))
    foreign = other.run / "checkpoints" / "epoch-0001-step-00000004"
    foreign.rename(config.run / "checkpoints" / foreign.name)
    with pytest.raises(FaceaeError, match=r"epoch-0001-step-00000004: cannot continue .*width=8"):
        resume(config.run, config.data, {})


def test_ctrl_c_stops_like_sigterm_and_handlers_come_back(
    config: TrainConfig, signal_at: Any
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = train(config, signal_at(2, signal.SIGINT))
    assert result.stopped_by is signal.SIGINT
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_second_ctrl_c_does_not_wait(config: TrainConfig) -> None:
    class Impatient(Observer):
        def on_step(self, step: int) -> None:
            if step == 2:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(config, Impatient())
    assert not (config.run / "checkpoints").exists()


def test_trains_outside_the_main_thread(config: TrainConfig) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        result: TrainResult = pool.submit(train, config).result()
    assert result.position.epoch == 2


def test_float16_state_is_in_the_checkpoint(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, final_hash: Any, signal_at: Any
) -> None:
    from faceae.device import AmpChoice

    choice = AmpChoice(dtype=torch.float16, reason="for the test")
    monkeypatch.setattr(_plan, "choose_amp", lambda *_: choice)
    config = replace(config, amp=True)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    train(config, signal_at(2))
    record = config.run / "checkpoints" / "epoch-0000-step-00000002" / "checkpoint.json"
    assert json.loads(record.read_text())["scaler"]["_growth_tracker"] == 2
    resume(config.run, config.data, {})
    assert final_hash(config.run) == final_hash(unstopped.run)


def test_adversarial_run_is_extended_unless_its_first_stages_would_come_again(
    config: TrainConfig, signal_at: Any, final_hash: Any
) -> None:
    config = replace(config, model="adversarial", epochs=1)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    with pytest.raises(FaceaeError, match="cannot be extended to 12"):
        resume(unstopped.run, config.data, {"epochs": 12})
    resume(unstopped.run, config.data, {"epochs": 2})
    train(config)
    resume(config.run, config.data, {"epochs": 2}, signal_at(STEPS_PER_EPOCH + 1))
    resume(config.run, config.data, {})
    assert final_hash(config.run) == final_hash(unstopped.run)
