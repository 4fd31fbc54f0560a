"""Training on a GPU. Written without one; skipped where there is none."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import faceae_shards
from faceae.distributed import Ranks
from faceae.model import ModelConfig, load_model
from faceae.runs import read_run
from faceae.training import Observer, TrainConfig, resume, train
from faceae.training.step import TrainState, make_train_state, train_step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture
def config(dataset_jpg: faceae_shards.Dataset, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data=dataset_jpg.path,
        run=tmp_path / "run",
        epochs=2,
        batch_size=8,
        latent_size=16,
        width=8,
        device="cuda",
        log_steps=2,
    )


def test_trains_in_a_lower_precision_and_resumes(config: TrainConfig) -> None:
    class StopAtFour(Observer):
        def on_step(self, step: int) -> None:
            if step == 4:
                signal.raise_signal(signal.SIGTERM)

    assert train(config, StopAtFour()).position.step == 4
    run = read_run(config.run)
    assert run.device == "cuda"
    assert run.dtype in ("bfloat16", "float16")
    assert resume(config.run, config.data, {}).position.epoch == 2
    load_model(run.model_path, torch.device("cpu"))


def test_device_named_on_resuming_a_cuda_run(config: TrainConfig) -> None:
    train(replace(config, device="auto"))
    assert resume(config.run, config.data, {"device": "cuda"}).run.device == "cuda"


def gpu_learner(amp_dtype: torch.dtype | None, **options: Any) -> TrainState:
    torch.manual_seed(0)
    return make_train_state(
        ModelConfig(image_size=32, latent_size=16, width=8),
        TrainConfig(data=Path("data"), run=Path("run"), batch_size=8, lr=1e-3, **options),
        device=torch.device("cuda"),
        amp_dtype=amp_dtype,
        total_steps=20,
        ranks=Ranks(),
    )


@pytest.fixture
def images() -> torch.Tensor:
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, device="cuda")
    return images.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("amp_dtype", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}, {"cuda_graph": True}])
def test_steps_do_not_wait_for_the_gpu(
    amp_dtype: torch.dtype | None,
    options: dict[str, Any],
    images: torch.Tensor,
    error_on_wait: Callable[[], AbstractContextManager[None]],
) -> None:
    train_state = gpu_learner(amp_dtype, **options)
    train_step(train_state, 0, images)
    with error_on_wait():
        losses = [train_step(train_state, step, images).loss for step in range(1, 4)]
    assert all(loss.isfinite() for loss in losses)


@pytest.mark.parametrize("amp_dtype", [None, torch.bfloat16, torch.float16])
def test_graph_learns_what_plain_steps_learn(
    amp_dtype: torch.dtype | None, images: torch.Tensor
) -> None:
    plain, graphed = gpu_learner(amp_dtype), gpu_learner(amp_dtype, cuda_graph=True)
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(graphed.model.state_dict()[name], tensor), name
    losses = [
        [train_step(train_state, step, images).loss.item() for step in range(10)]
        for train_state in (plain, graphed)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    assert losses[1][-1] < losses[1][0]
