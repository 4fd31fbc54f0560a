"""Whole trainings: the files they write, their metrics, and failures."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import faceae_shards
from faceae.device import AmpChoice
from faceae.errors import FaceaeError
from faceae.model import load_model, start_from_components, weights_hash
from faceae.runs import EpochMetrics, StepMetrics, TrainConfig, read_run
from faceae.training import (
    Observer,
    Validation,
    _context,
    _loop,
    _plan,
    _start,
    _trainer,
    resume,
    train,
)
from faceae.training.step import Losses

STEPS_PER_EPOCH = 3
TOTAL_STEPS = 2 * STEPS_PER_EPOCH


def test_a_run_writes_what_it_promises(config: TrainConfig, checkpoint_names: Any) -> None:
    result = train(config)
    assert (result.position.step, result.position.epoch) == (TOTAL_STEPS, 2)
    assert result.stopped_by is None
    assert sorted(path.name for path in config.run.iterdir()) == [
        ".lock",
        "checkpoints",
        "grids",
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
        "run.toml",
        "tensorboard",
    ]
    assert checkpoint_names(config.run) == ["epoch-0001", "epoch-0002"]
    model = load_model(result.run.model_path, torch.device("cpu"))
    assert model.config == result.run.model


def test_metrics_lines(config: TrainConfig, read_metrics: Any) -> None:
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
            assert 0 < line["lr"] <= config.peak_lr
            assert line["images_per_s"] > 0
            assert 0 <= line["data_wait_share"] <= 1


def test_loss_is_the_mean_since_the_last_log_step(config: TrainConfig, read_metrics: Any) -> None:
    train(replace(config, log_steps=1))
    train(replace(config, log_steps=3, run=config.run.with_name("other")))
    each = [line["loss"] for line in read_metrics(config.run) if "loss" in line]
    means = [line["loss"] for line in read_metrics(config.run.with_name("other")) if "loss" in line]
    assert means == pytest.approx([np.mean(each[:3]), np.mean(each[3:])], rel=1e-6)


def test_tensorboard_has_the_same_numbers(config: TrainConfig, read_metrics: Any) -> None:
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
    validation = Validation(
        psnr_db=20.0, num_images=16, originals=originals, reconstructions=originals + 100
    )
    monkeypatch.setattr(_trainer, "validate", lambda *_: validation)
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


def test_same_seed_same_weights(config: TrainConfig, final_hash: Any) -> None:
    hashes = []
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        train(replace(config, run=config.run.with_name(name), seed=seed))
        hashes.append(final_hash(config.run.with_name(name)))
    assert hashes[0] == hashes[1] != hashes[2]


def test_best_weights_are_kept(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, final_hash: Any
) -> None:
    psnrs = iter([20.0, 30.0, 25.0])

    def validate(*_: object) -> Validation:
        images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
        return Validation(
            psnr_db=next(psnrs), num_images=1, originals=images, reconstructions=images
        )

    monkeypatch.setattr(_trainer, "validate", validate)
    result = train(replace(config, epochs=3))
    assert (result.position.best_psnr_db, result.position.best_epoch) == (30.0, 2)
    assert weights_hash(load_model(result.run.model_path, torch.device("cpu"))) == final_hash(
        config.run
    )


def test_checkpoints_by_the_clock(config: TrainConfig, checkpoint_names: Any) -> None:
    class Seen(Observer):
        names: list[str]

        def on_metrics(self, metrics: StepMetrics) -> None:
            self.names = checkpoint_names(config.run) if metrics.step == 6 else []

    seen = Seen()
    train(replace(config, checkpoint_minutes=1e-9), seen)
    # Within the second epoch there was one at step 4, a log step, but none at the last.
    assert seen.names == ["epoch-0001", "epoch-0001-step-00000004"]
    assert checkpoint_names(config.run) == ["epoch-0001-step-00000004", "epoch-0002"]


def test_writing_a_checkpoint_does_not_slow_the_images_per_second(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, read_metrics: Any
) -> None:
    real_save = _trainer.save_checkpoint
    saved = []

    def slow_save(*args: object, **options: object) -> Path:
        time.sleep(1.0)
        saved.append(real_save(*args, **options))
        return saved[-1]

    monkeypatch.setattr(_trainer, "save_checkpoint", slow_save)
    train(replace(config, checkpoint_minutes=1e-9))
    speeds = [line["images_per_s"] for line in read_metrics(config.run) if "loss" in line]
    assert len(saved) == 4
    # There are at most two steps of eight faces between two log steps.
    assert min(speeds) > 2 * 8 / 1.0


@pytest.mark.parametrize("name", ["train", "valid"])
def test_loaders_decode_in_as_many_threads_as_cores(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, name: str, signal_at: Any
) -> None:
    configs = {}

    def make_loader(*args: Any) -> Any:
        configs[args[2].split] = args[2]
        return real_make_loader(*args)

    real_make_loader = _context.make_loader
    monkeypatch.setattr(_context, "make_loader", make_loader)
    monkeypatch.setattr(_context, "count_decode_threads", lambda: 5)
    train(config, signal_at(1))
    assert configs[name].num_threads == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 30, "accumulate": 15}, "`batch_size`"),
        ({"latent_size": 0}, "`latent_size` must be"),
        ({"device": "cuda"}, "`device='cuda'`"),
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
    with pytest.raises(faceae_shards.ShardsError, match="nowhere"):
        train(replace(config, data=tmp_path / "nowhere"))
    assert not config.run.exists()


def test_loss_that_is_not_finite_ends_the_run(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, read_metrics: Any, checkpoint_names: Any
) -> None:
    real_step = _trainer.train_step

    def step_that_breaks(*args: object) -> Losses:
        losses = real_step(*args)
        return Losses(losses.loss * math.nan, losses.penalty) if args[1] == 4 else losses

    monkeypatch.setattr(_trainer, "train_step", step_that_breaks)
    message = r"not finite at step 6 \(the last good checkpoint is .*epoch-0001\); .* `lr` below"
    with pytest.raises(FaceaeError, match=message):
        train(config)
    assert checkpoint_names(config.run) == ["epoch-0001"]
    assert all(math.isfinite(line.get("loss", 0)) for line in read_metrics(config.run))


def test_broken_weights_are_never_checkpointed(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, signal_at: Any
) -> None:
    real_step = _trainer.train_step

    def step_that_breaks(train_state, step, images):
        loss = real_step(train_state, step, images)
        with torch.no_grad():
            train_state.model.encoder[0].weight[0, 0, 0, 0] = math.inf
        return loss

    monkeypatch.setattr(_trainer, "train_step", step_that_breaks)
    with pytest.raises(FaceaeError, match=r"not finite at step 1 \(no checkpoint\)"):
        train(config, signal_at(1))
    assert not (config.run / "checkpoints").exists()


def test_begins_with_given_weights(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was killed before its first checkpoint and is resumed."""
    train(config)
    given = config.run / "model.safetensors"
    seen = []

    def stop_before_the_first_step(context: Any, *_: object) -> None:
        seen.append(weights_hash(context.train_state.model))
        raise MemoryError

    monkeypatch.setattr(_loop, "Trainer", stop_before_the_first_step)
    other = replace(config, run=tmp_path / "other", init=given, seed=5)
    with pytest.raises(MemoryError):
        train(other)
    with pytest.raises(MemoryError):
        resume(other.run, other.data, {})
    assert seen == [weights_hash(load_model(given, torch.device("cpu")))] * 2


def test_weights_that_do_not_fit_leave_nothing(config: TrainConfig, tmp_path: Path) -> None:
    train(config)
    other = replace(
        config, run=tmp_path / "other", init=config.run / "model.safetensors", latent_size=8
    )
    with pytest.raises(FaceaeError, match=r"encoder\.8\.weight is 16x"):
        train(other)
    assert not other.run.exists()


def test_steps_that_float16_left_out_are_counted(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, read_metrics: Any
) -> None:
    choice = AmpChoice(dtype=torch.float16, reason="for the test")
    monkeypatch.setattr(_plan, "choose_amp", lambda *_: choice)
    real_step = _trainer.train_step

    def step_that_overflows(train_state: Any, step: int, images: torch.Tensor) -> Losses:
        scale = 2.0**120 if step in (0, 1, 4) else 2.0**10
        train_state.scaler.load_state_dict(train_state.scaler.state_dict() | {"scale": scale})
        return real_step(train_state, step, images)

    monkeypatch.setattr(_trainer, "train_step", step_that_overflows)
    train(replace(config, amp=True))
    skipped = [
        (line["step"], line["skipped_steps"]) for line in read_metrics(config.run) if "loss" in line
    ]
    assert skipped == [(2, 2), (3, 0), (4, 0), (6, 1)]


def test_components_of_the_faces_are_a_better_start(
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = replace(config, epochs=1, latent_size=24, width=8)
    psnr_db = {}
    for init in ("random", "components"):
        run = replace(config, init=init, run=config.run.with_name(init))
        psnr_db[init] = train(run).position.best_psnr_db
        assert read_run(run.run).config.init == init
    assert psnr_db["components"] > psnr_db["random"] + 1.0
    assert "starting from 23 principal components of 24 faces" in caplog.text


def test_components_are_computed_in_full_float32(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU convolutions would round to TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    allowed = []

    def start(*args: Any, **options: Any) -> int:
        allowed.append(torch.backends.cudnn.allow_tf32)
        return start_from_components(*args, **options)

    monkeypatch.setattr(_start, "start_from_components", start)
    train(replace(config, init="components", epochs=1))
    assert allowed == [False]
    assert torch.backends.cudnn.allow_tf32


def test_faces_without_components_are_an_error(config: TrainConfig) -> None:
    with pytest.raises(
        FaceaeError, match=r"no principal components .* `width=1` .*`init='random'`"
    ):
        train(replace(config, init="components", width=1))
    assert not config.run.exists()


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


def test_cudnn_measures_its_kernels_in_training_only(config: TrainConfig) -> None:
    class Look(Observer):
        def on_step(self, step: int) -> None:
            seen.add(torch.backends.cudnn.benchmark)

    seen: set[bool] = set()
    train(config, Look())
    assert seen == {True}
    assert not torch.backends.cudnn.benchmark
