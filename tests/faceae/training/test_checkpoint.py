import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from faceae.errors import FaceaeError
from faceae.model import ModelConfig, weights_hash
from faceae.training._checkpoint import (
    Bookmark,
    Position,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from faceae.training._step import Learner, make_learner, train_step

CPU = torch.device("cpu")
SMALL = ModelConfig(image_size=32, latent_size=16, width=4)
BOOKMARK = Bookmark(
    position=Position(step=3, epoch=1, best_psnr_db=20.1, best_epoch=1, seconds=1.5),
    loader={"epoch": 1, "step": 0, "dataset": "abc"},
    metrics_bytes=77,
    dataset_hash="abc",
)


def small_learner(
    config: ModelConfig = SMALL, amp_dtype: torch.dtype | None = None, seed: int = 0
) -> Learner:
    torch.manual_seed(seed)
    return make_learner(config, device=CPU, amp_dtype=amp_dtype, peak_lr=1e-3, total_steps=20)


def random_images(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def learner() -> Learner:
    learner = small_learner()
    for step in range(3):
        train_step(learner, step, random_images(step))
    return learner


@pytest.fixture
def saved(learner: Learner, tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "checkpoints", learner, BOOKMARK, epoch_done=True)


@pytest.mark.parametrize("amp_dtype", [None, torch.float16])
def test_steps_after_loading_are_those_after_saving(
    tmp_path: Path, amp_dtype: torch.dtype | None
) -> None:
    learner = small_learner(amp_dtype=amp_dtype)
    for step in range(3):
        train_step(learner, step, random_images(step))
    path = save_checkpoint(tmp_path, learner, BOOKMARK, epoch_done=True)
    random_state = torch.get_rng_state()

    other = small_learner(amp_dtype=amp_dtype, seed=9)
    assert load_checkpoint(path, other) == BOOKMARK
    assert torch.equal(torch.get_rng_state(), random_state)
    assert other.scaler.state_dict() == learner.scaler.state_dict()
    for trained in (learner, other):
        for step in range(3, 6):
            train_step(trained, step, random_images(step))
    assert weights_hash(other.model) == weights_hash(learner.model)


def test_moments_come_back_in_their_weights_memory_order(saved: Path) -> None:
    learner = small_learner(seed=9)
    load_checkpoint(saved, learner)
    for parameter, values in learner.optimizer.state.items():
        assert values["exp_avg"].stride() == parameter.stride()


def test_keeps_the_last_two_in_the_order_they_were_made(learner: Learner, tmp_path: Path) -> None:
    for epoch, step, epoch_done in [(0, 9, False), (1, 10, True), (1, 11, False), (9, 91, False)]:
        position = Position(step=step, epoch=epoch)
        save_checkpoint(
            tmp_path, learner, replace(BOOKMARK, position=position), epoch_done=epoch_done
        )
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["epoch-0001-step-00000011", "epoch-0009-step-00000091"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_order_is_by_number(tmp_path: Path) -> None:
    names = ["epoch-0002", "epoch-9999", "epoch-9999-step-00000001", "epoch-10000"]
    for name in [*names, "epoch-0003.faceae-part", "epoch-copy"]:
        (tmp_path / name).mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == names


def test_a_checkpoint_of_the_same_step_is_kept(learner: Learner, saved: Path) -> None:
    before = (saved / "checkpoint.json").stat().st_mtime_ns
    assert save_checkpoint(saved.parent, learner, BOOKMARK, epoch_done=True) == saved
    assert (saved / "checkpoint.json").stat().st_mtime_ns == before


def test_saving_that_fails_leaves_nothing(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_args: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, learner, BOOKMARK, epoch_done=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "checkpoint.json"])
def test_truncated_file(saved: Path, name: str) -> None:
    file = saved / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FaceaeError, match=r"epoch-0001: cannot go on .* delete it, and --resume"):
        load_checkpoint(saved, small_learner())


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "checkpoint.json"])
def test_missing_file(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(FaceaeError, match=f"epoch-0001: cannot go on .*{name}"):
        load_checkpoint(saved, small_learner())


def test_record_of_another_version(saved: Path) -> None:
    file = saved / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 2}))
    with pytest.raises(FaceaeError, match="not faceae-checkpoint version 1"):
        load_checkpoint(saved, small_learner())


def test_another_architecture(saved: Path) -> None:
    with pytest.raises(FaceaeError, match=r"width=4\) is not the run's .*width=8\)"):
        load_checkpoint(saved, small_learner(replace(SMALL, width=8)))


def test_optimiser_state_without_all_parameters(saved: Path) -> None:
    file = saved / "training.safetensors"
    tensors = safetensors.torch.load_file(file)
    kept = {name: value for name, value in tensors.items() if ".3." not in name}
    safetensors.torch.save_file(kept, file)
    with pytest.raises(FaceaeError, match="optimiser state of 18 of 19 parameters"):
        load_checkpoint(saved, small_learner())
