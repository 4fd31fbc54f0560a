import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import shards
from faceae.errors import FaceaeError
from faceae.model import load_model, weights_hash
from faceae.training import (
    EpochMetrics,
    Evaluation,
    Observer,
    StepMetrics,
    TrainConfig,
    TrainResult,
    _log,
    _loop,
    _run,
    resume,
    train,
)

STEPS_PER_EPOCH = 3
TOTAL_STEPS = 2 * STEPS_PER_EPOCH


def read_metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def checkpoint_names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def final_hash(run: Path) -> str:
    """Hash of the weights at the end of the second epoch."""
    file = run / "checkpoints" / "epoch-0002" / "model.safetensors"
    return weights_hash(load_model(file, torch.device("cpu")))


def without_times(run: Path) -> list[dict[str, float]]:
    """The metrics but for what a clock decides."""
    times = {"images_per_s", "data_wait_share", "seconds"}
    return [
        {name: value for name, value in line.items() if name not in times}
        for line in read_metrics(run)
    ]


class SignalAt(Observer):
    """Sends this process a signal after a step, as a shell or an orchestrator would."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        self.step, self.number = step, number

    def on_step(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)


def test_a_run_writes_what_it_promises(config: TrainConfig) -> None:
    result = train(config)
    assert (result.position.step, result.position.epoch) == (TOTAL_STEPS, 2)
    assert result.stopped_by is None
    assert sorted(path.name for path in config.run.iterdir()) == [
        "checkpoints",
        "grids",
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
        "tensorboard",
    ]
    assert checkpoint_names(config.run) == ["epoch-0001", "epoch-0002"]
    model = load_model(result.run.model_path, torch.device("cpu"))
    assert model.config == result.run.model


def test_metrics_lines(config: TrainConfig) -> None:
    result = train(config)
    lines = read_metrics(config.run)
    # Log steps are every second one and the last of each epoch.
    steps = [(line["step"], line["epoch"]) for line in lines if "loss" in line]
    assert steps == [(2, 1), (3, 1), (4, 2), (6, 2)]
    epochs = [line for line in lines if "valid_psnr_db" in line]
    assert [(line["step"], line["epoch"]) for line in epochs] == [(3, 1), (6, 2)]
    assert max(line["valid_psnr_db"] for line in epochs) == result.position.best_psnr_db
    for line in lines:
        if "loss" in line:
            assert 0 < line["loss"] < 4
            assert 0 < line["lr"] <= config.lr
            assert line["images_per_s"] > 0
            assert 0 <= line["data_wait_share"] <= 1


def test_loss_is_the_mean_since_the_last_log_step(config: TrainConfig) -> None:
    train(replace(config, log_steps=1))
    train(replace(config, log_steps=3, run=config.run.with_name("other")))
    each = [line["loss"] for line in read_metrics(config.run) if "loss" in line]
    means = [line["loss"] for line in read_metrics(config.run.with_name("other")) if "loss" in line]
    assert means == pytest.approx([np.mean(each[:3]), np.mean(each[3:])], rel=1e-6)


def test_tensorboard_has_the_same_numbers(config: TrainConfig) -> None:
    train(config)
    events = EventAccumulator(str(config.run / "tensorboard"))
    events.Reload()
    losses = [line["loss"] for line in read_metrics(config.run) if "loss" in line]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses)
    assert [event.step for event in events.Scalars("valid_psnr_db")] == [3, 6]
    assert [event.step for event in events.Images("faces")] == [3, 6]


def test_grid_has_originals_over_reconstructions(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = torch.arange(16, dtype=torch.uint8)[:, None, None, None].expand(16, 3, 32, 32)
    evaluation = Evaluation(
        psnr_db=20.0, num_images=16, originals=originals, reconstructions=originals + 100
    )
    monkeypatch.setattr(_loop, "evaluate", lambda *_: evaluation)
    train(replace(config, epochs=1))
    with Image.open(config.run / "grids" / "epoch-0001.png") as image:
        grid = np.asarray(image)
    centres = grid[18::34, 18::34, 0]
    expected = [range(8), range(100, 108), range(8, 16), range(108, 116)]
    assert centres.tolist() == [list(row) for row in expected]


def test_grid_of_few_held_out_faces(config: TrainConfig) -> None:
    train(config)
    # Twelve held-out faces make one row of eight, twice.
    with Image.open(config.run / "grids" / "epoch-0001.png") as image:
        assert image.size == (8 * 34 + 2, 2 * 34 + 2)


def test_same_seed_same_weights(config: TrainConfig) -> None:
    hashes = []
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        train(replace(config, run=config.run.with_name(name), seed=seed))
        hashes.append(final_hash(config.run.with_name(name)))
    assert hashes[0] == hashes[1] != hashes[2]


def test_best_weights_are_kept(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    psnrs = iter([20.0, 30.0, 25.0])

    def evaluate(*_: object) -> Evaluation:
        images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
        return Evaluation(
            psnr_db=next(psnrs), num_images=1, originals=images, reconstructions=images
        )

    monkeypatch.setattr(_loop, "evaluate", evaluate)
    result = train(replace(config, epochs=3))
    assert (result.position.best_psnr_db, result.position.best_epoch) == (30.0, 2)
    assert weights_hash(load_model(result.run.model_path, torch.device("cpu"))) == final_hash(
        config.run
    )


@pytest.mark.parametrize("loader", ["webdataset", "dali"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_resumed_run_ends_with_the_weights_of_an_unstopped_one(
    config: TrainConfig, step: int, loader: str
) -> None:
    """Step 3 and 6 end an epoch: the signal then comes before the epoch is measured."""
    if loader == "dali":
        pytest.importorskip("nvidia.dali")
    config = replace(config, loader=loader)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    expected = train(unstopped)

    stopped = train(config, SignalAt(step))
    assert stopped.stopped_by is signal.SIGTERM
    assert stopped.position.step == step
    assert checkpoint_names(config.run)[-1].endswith(f"-step-{step:08}")
    result = resume(config.run, config.data, {})
    assert result.stopped_by is None
    assert final_hash(config.run) == final_hash(unstopped.run)
    assert replace(result.position, seconds=0.0) == replace(expected.position, seconds=0.0)
    last = [line for line in without_times(config.run) if "valid_psnr_db" in line]
    assert last == [line for line in without_times(unstopped.run) if "valid_psnr_db" in line]


def test_resume_of_a_stop_before_its_first_step(config: TrainConfig) -> None:
    train(config, SignalAt(STEPS_PER_EPOCH))

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


KILLED = """
import os, signal, sys
from pathlib import Path
from faceae.training import TrainConfig, _checkpoint, train

def killing_save(*args, **kwargs):
    # As the power may fail: after all files are written, before the folder gets its name.
    if args[2].position.epoch == 2:
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    return save_checkpoint(*args, **kwargs)

import faceae.training._loop as loop
import torch
torch.set_num_threads(1)
save_checkpoint, loop.save_checkpoint = loop.save_checkpoint, killing_save
train(TrainConfig(data=Path(sys.argv[1]), run=Path(sys.argv[2]), epochs=3, batch_size=8,
                  latent_size=16, width=4, amp=False, loader="webdataset", log_steps=2))
"""


def test_killed_run_goes_on_from_its_last_checkpoint(config: TrainConfig) -> None:
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
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    train(config, SignalAt(4))
    (config.run / "metrics.jsonl").unlink()
    resume(config.run, config.data, {})
    assert "metrics.jsonl is shorter than it was" in caplog.text
    assert [line["step"] for line in read_metrics(config.run)] == [6, 6]


def test_checkpoints_by_the_clock(config: TrainConfig) -> None:
    class Seen(Observer):
        names: list[str]

        def on_metrics(self, metrics: StepMetrics) -> None:
            self.names = checkpoint_names(config.run) if metrics.step == 6 else []

    seen = Seen()
    train(replace(config, checkpoint_minutes=1e-9), seen)
    # Within the second epoch there was one at step 4, a log step, but none at the last.
    assert seen.names == ["epoch-0001", "epoch-0001-step-00000004"]
    assert checkpoint_names(config.run) == ["epoch-0001-step-00000004", "epoch-0002"]


@pytest.mark.parametrize("step", [0, 2])
def test_run_killed_before_its_first_checkpoint_starts_again(
    config: TrainConfig, step: int, caplog: pytest.LogCaptureFixture
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
    assert "no checkpoint was written yet; starting at the first step" in caplog.text
    assert final_hash(config.run) == final_hash(unstopped.run)
    assert without_times(config.run) == without_times(unstopped.run)


def test_run_begun_by_auto_on_a_cpu_goes_on_where_there_is_a_gpu(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train(replace(config, device="auto"), SignalAt(2))
    for module in (_loop, _run):
        monkeypatch.setattr(
            module, "resolve_device", lambda name: torch.device("cpu" if name == "cpu" else "cuda")
        )
    assert resume(config.run, config.data, {"device": "cpu"}).position.epoch == 2


def test_two_sessions_on_one_run(config: TrainConfig) -> None:
    class Second(Observer):
        def on_step(self, step: int) -> None:
            with pytest.raises(FaceaeError, match="another process is training this run"):
                resume(config.run, config.data, {})

    train(replace(config, epochs=1), Second())
    assert resume(config.run, config.data, {}).position.epoch == 1


def test_several_processes_are_refused(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(FaceaeError, match="WORLD_SIZE is 2, but training is single-process"):
        train(config)
    assert not config.run.exists()
    monkeypatch.setenv("WORLD_SIZE", "1")
    train(config, SignalAt(2))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(FaceaeError, match="single-process"):
        resume(config.run, config.data, {})


def test_writing_a_checkpoint_does_not_slow_the_images_per_second(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which a checkpoint takes an age and anything else next to nothing."""
    now = iter(range(10**6))
    late = [0]
    real_save = _loop.save_checkpoint

    def slow_save(*args: object, **options: object) -> Path:
        late[0] += 10**6
        return real_save(*args, **options)

    clock = SimpleNamespace(perf_counter=lambda: next(now) + late[0], monotonic=time.monotonic)
    monkeypatch.setattr(_log, "time", clock)
    monkeypatch.setattr(_loop, "save_checkpoint", slow_save)
    train(replace(config, checkpoint_minutes=1e-9))
    speeds = [line["images_per_s"] for line in read_metrics(config.run) if "loss" in line]
    assert late[0] == 4 * 10**6
    assert min(speeds) > 0.1


@pytest.mark.parametrize("name", ["train", "valid"])
def test_loaders_decode_in_as_many_threads_as_cores(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    configs = {}

    def make_loader(*args: Any) -> Any:
        configs[args[2].split] = args[2]
        return real_make_loader(*args)

    real_make_loader = _loop.make_loader
    monkeypatch.setattr(_loop, "make_loader", make_loader)
    monkeypatch.setattr(_loop, "count_decode_threads", lambda: 5)
    train(config, SignalAt(1))
    assert configs[name].num_threads == 5


def test_resume_refuses_what_differs(config: TrainConfig, dataset_jpg: shards.Dataset) -> None:
    train(config, SignalAt(2))
    with pytest.raises(FaceaeError, match="--epochs is 5 where the run has 2"):
        resume(config.run, config.data, {"epochs": 5})
    with pytest.raises(FaceaeError, match="not the data"):
        resume(config.run, dataset_jpg.path, {})


def test_checkpoint_of_another_run(config: TrainConfig) -> None:
    train(config, SignalAt(2))
    other = replace(config, run=config.run.with_name("other"), width=8)
    train(other, SignalAt(4))
    foreign = other.run / "checkpoints" / "epoch-0001-step-00000004"
    foreign.rename(config.run / "checkpoints" / foreign.name)
    with pytest.raises(FaceaeError, match=r"epoch-0001-step-00000004: cannot go on .*width=8"):
        resume(config.run, config.data, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 30}, "--batch-size"),
        ({"latent_size": 0}, "latent size must be"),
        ({"device": "cuda"}, "--device cuda"),
    ],
)
def test_refused_start_writes_nothing(
    config: TrainConfig, change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(FaceaeError, match=message):
        train(replace(config, **change))
    assert not config.run.exists()


def test_missing_dataset_writes_nothing(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(shards.ShardsError, match="nowhere"):
        train(replace(config, data=tmp_path / "nowhere"))
    assert not config.run.exists()


def test_loss_that_is_not_finite_ends_the_run(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = _loop.train_step

    def step_that_breaks(*args: object) -> torch.Tensor:
        loss = real_step(*args)
        return loss * math.nan if args[1] == 4 else loss

    monkeypatch.setattr(_loop, "train_step", step_that_breaks)
    message = r"not finite at step 6 \(the last good checkpoint is .*epoch-0001\); .* --lr below"
    with pytest.raises(FaceaeError, match=message):
        train(config)
    assert checkpoint_names(config.run) == ["epoch-0001"]
    assert all(math.isfinite(line.get("loss", 0)) for line in read_metrics(config.run))


def test_broken_weights_are_never_checkpointed(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = _loop.train_step

    def step_that_breaks(learner, step, images):
        loss = real_step(learner, step, images)
        with torch.no_grad():
            learner.model.encoder[0].weight[0, 0, 0, 0] = math.inf
        return loss

    monkeypatch.setattr(_loop, "train_step", step_that_breaks)
    with pytest.raises(FaceaeError, match=r"not finite at step 1 \(no checkpoint\)"):
        train(config, SignalAt(1))
    assert not (config.run / "checkpoints").exists()


class CountAtSteps(Observer):
    def __init__(self, reads: Any) -> None:
        self.reads, self.counts = reads, [0]

    def on_step(self, step: int) -> None:
        self.counts.append(self.reads.count)


def test_host_waits_for_the_device_only_on_log_steps(config: TrainConfig, host_reads: Any) -> None:
    with host_reads:
        observer = CountAtSteps(host_reads)
        train(replace(config, epochs=1, batch_size=2, log_steps=4), observer)
    # Counted at the end of each step, before it is logged: after steps 4, 8 and 12 one read each.
    assert observer.counts == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_ctrl_c_stops_like_sigterm_and_handlers_come_back(config: TrainConfig) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = train(config, SignalAt(2, signal.SIGINT))
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
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceae.device import AmpChoice

    choice = AmpChoice(dtype=torch.float16, scaler=True, reason="for the test")
    monkeypatch.setattr(_run, "choose_amp", lambda *_: choice)
    config = replace(config, amp=True)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    train(unstopped)
    train(config, SignalAt(2))
    record = config.run / "checkpoints" / "epoch-0000-step-00000002" / "checkpoint.json"
    assert json.loads(record.read_text())["scaler"]["_growth_tracker"] == 2
    resume(config.run, config.data, {})
    assert final_hash(config.run) == final_hash(unstopped.run)


def test_observer_hears_of_everything(config: TrainConfig) -> None:
    heard: list[object] = []

    class Listener(Observer):
        def on_start(self, run: object, *, step: int, total_steps: int) -> None:
            heard.append(("start", step, total_steps))

        def on_step(self, step: int) -> None:
            heard.append(step)

        def on_metrics(self, metrics: StepMetrics) -> None:
            heard.append(("metrics", metrics.step))

        def on_epoch(self, metrics: EpochMetrics) -> None:
            heard.append(("epoch", metrics.epoch, (config.run / "checkpoints").exists()))

    train(replace(config, epochs=1), Listener())
    assert heard == [("start", 0, 3), 1, 2, ("metrics", 2), 3, ("metrics", 3), ("epoch", 1, True)]
