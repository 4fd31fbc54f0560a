"""Checkpoints: what they restore, which are kept, and damaged ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from faceae.distributed import Ranks
from faceae.errors import FaceaeError
from faceae.model import ModelConfig, weights_hash
from faceae.training import TrainConfig
from faceae.training.records import (
    Checkpoint,
    Position,
    list_checkpoints,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from faceae.training.step import TrainState, make_train_state, train_step

CPU = torch.device("cpu")
SMALL = ModelConfig(image_size=32, latent_size=16, width=4)
TOTAL_STEPS = 20
CHECKPOINT = Checkpoint(
    position=Position(step=3, epoch=1, best_psnr_db=20.1, best_epoch=1, seconds=1.5),
    loaders=[{"epoch": 1, "step": 0, "dataset": "abc"}],
    metrics_bytes=77,
    dataset_hash="abc",
)


def small_state(
    config: ModelConfig = SMALL, amp_dtype: torch.dtype | None = None, seed: int = 0
) -> TrainState:
    torch.manual_seed(seed)
    options = TrainConfig(
        data=Path("data"), run=Path("run"), model=config.variant, init="random", lr=1e-3
    )
    return make_train_state(
        config, options, device=CPU, amp_dtype=amp_dtype, total_steps=TOTAL_STEPS, ranks=Ranks()
    )


def save(
    folder: Path, train_state: TrainState, checkpoint: Checkpoint = CHECKPOINT, **options: Any
) -> Path:
    options = {"epoch_done": True} | options
    return save_checkpoint(folder, train_state, checkpoint, [random_state(CPU)], **options)


def random_images(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def train_state() -> TrainState:
    train_state = small_state()
    for step in range(3):
        train_step(train_state, step, random_images(step))
    return train_state


@pytest.fixture
def saved(train_state: TrainState, tmp_path: Path) -> Path:
    return save(tmp_path / "checkpoints", train_state)


@pytest.mark.parametrize("amp_dtype", [None, torch.float16])
def test_steps_after_loading_are_those_after_saving(
    tmp_path: Path, amp_dtype: torch.dtype | None
) -> None:
    train_state = small_state(amp_dtype=amp_dtype)
    for step in range(3):
        train_step(train_state, step, random_images(step))
    path = save(tmp_path, train_state)
    drawn_from = torch.get_rng_state()

    other = small_state(amp_dtype=amp_dtype, seed=9)
    checkpoint, (state,) = load_checkpoint(path, other)
    assert checkpoint == CHECKPOINT
    set_random_state(CPU, state)
    assert torch.equal(torch.get_rng_state(), drawn_from)
    assert other.scaler.state_dict() == train_state.scaler.state_dict()
    for trained in (train_state, other):
        for step in range(3, 6):
            train_step(trained, step, random_images(step))
    assert weights_hash(other.model) == weights_hash(train_state.model)


def test_an_adversarial_checkpoint_that_holds_a_covariance_goes_on(tmp_path: Path) -> None:
    """Such checkpoints are of the time when the discriminator saw normally distributed faces."""
    config = replace(SMALL, variant="adversarial")
    train_state = small_state(config)
    train_step(train_state, 0, random_images(0))
    path = save(tmp_path, train_state)
    tensors = safetensors.torch.load_file(path / "training.safetensors")
    assert "adversary.latents.mean_Z" in tensors
    tensors["adversary.latents.covariance_ZZ"] = torch.eye(config.latent_size)
    safetensors.torch.save_file(tensors, path / "training.safetensors")
    loaded = small_state(config, seed=1)
    load_checkpoint(path, loaded)
    last = TOTAL_STEPS - 1
    for state in (train_state, loaded):
        torch.manual_seed(2)
        train_step(state, last, random_images(1))
    assert weights_hash(loaded.model) == weights_hash(train_state.model)


def test_moments_come_back_in_their_weights_memory_order(saved: Path) -> None:
    train_state = small_state(seed=9)
    load_checkpoint(saved, train_state)
    for parameter, values in train_state.optimizer.state.items():
        assert values["exp_avg"].stride() == parameter.stride()


def test_keeps_the_last_two_and_the_last_end_of_an_epoch(
    train_state: TrainState, tmp_path: Path
) -> None:
    for epoch, step, epoch_done in [(0, 9, 0), (1, 10, 1), (1, 11, 0), (8, 80, 1), (8, 81, 0)]:
        checkpoint = replace(CHECKPOINT, position=Position(step=step, epoch=epoch))
        save(tmp_path, train_state, checkpoint, epoch_done=bool(epoch_done))
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "epoch-0008",
        "epoch-0008-step-00000081",
    ]
    for step in (82, 83, 84):
        checkpoint = replace(CHECKPOINT, position=Position(step=step, epoch=8))
        save(tmp_path, train_state, checkpoint, epoch_done=False)
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["epoch-0008", "epoch-0008-step-00000083", "epoch-0008-step-00000084"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert list_checkpoints(tmp_path, epochs_only=True) == [tmp_path / "epoch-0008"]


def test_keeps_the_last_and_the_best_epoch(train_state: TrainState, tmp_path: Path) -> None:
    for epoch in range(1, 5):
        position = Position(step=epoch, epoch=epoch, best_epoch=min(epoch, 2))
        save(tmp_path, train_state, replace(CHECKPOINT, position=position), keep="best")
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch-0002", "epoch-0004"]


def test_each_process_gets_its_own_random_state_back(
    train_state: TrainState, tmp_path: Path
) -> None:
    states = [{"cpu": torch.tensor([rank], dtype=torch.uint8)} for rank in range(11)]
    checkpoint = replace(CHECKPOINT, loaders=CHECKPOINT.loaders * 11)
    path = save_checkpoint(tmp_path, train_state, checkpoint, states, epoch_done=True)
    _, loaded = load_checkpoint(path, train_state)
    assert [state["cpu"].item() for state in loaded] == list(range(11))


def test_order_is_by_number(tmp_path: Path) -> None:
    names = ["epoch-0002", "epoch-9999", "epoch-9999-step-00000001", "epoch-10000"]
    for name in [*names, "epoch-0003.faceae-part", "epoch-copy"]:
        (tmp_path / name).mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == names


def test_a_checkpoint_of_the_same_step_is_kept(train_state: TrainState, saved: Path) -> None:
    before = (saved / "checkpoint.json").stat().st_mtime_ns
    assert save(saved.parent, train_state) == saved
    assert (saved / "checkpoint.json").stat().st_mtime_ns == before


def test_saving_that_fails_leaves_nothing(
    train_state: TrainState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_args: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, train_state)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "checkpoint.json"])
def test_truncated_file(saved: Path, name: str) -> None:
    file = saved / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(
        FaceaeError, match=r"epoch-0001: cannot continue .* delete it, and `resume`"
    ):
        load_checkpoint(saved, small_state())


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "checkpoint.json"])
def test_missing_file(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(FaceaeError, match=f"epoch-0001: cannot continue .*{name}"):
        load_checkpoint(saved, small_state())


def test_record_of_another_version(saved: Path) -> None:
    file = saved / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 9}))
    with pytest.raises(FaceaeError, match="not faceae-checkpoint version 2"):
        load_checkpoint(saved, small_state())


def test_another_architecture(saved: Path) -> None:
    with pytest.raises(FaceaeError, match=r"width=4, .* is not the run's .*width=8, "):
        load_checkpoint(saved, small_state(replace(SMALL, width=8)))


def test_optimiser_state_without_all_parameters(saved: Path) -> None:
    file = saved / "training.safetensors"
    tensors = safetensors.torch.load_file(file)
    kept = {name: value for name, value in tensors.items() if ".3." not in name}
    safetensors.torch.save_file(kept, file)
    with pytest.raises(FaceaeError, match="optimiser state of 18 of 19 parameters"):
        load_checkpoint(saved, small_state())
