"""What a C++ compiler adds to training on a CPU."""

from pathlib import Path

import pytest
import torch

from faceae.distributed import Ranks
from faceae.model import ModelConfig
from faceae.training import TrainConfig
from faceae.training.step import TrainState, make_train_state, train_step

CPU = torch.device("cpu")


def small_learner(*, compiled: bool) -> TrainState:
    torch.manual_seed(0)
    config = TrainConfig(data=Path("data"), run=Path("run"), compile=compiled, clip_norm=1.0)
    model_config = ModelConfig(image_size=32, latent_size=16, width=4)
    return make_train_state(
        model_config, config, device=CPU, amp_dtype=None, total_steps=10, ranks=Ranks()
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_steps_learn_what_plain_ones_learn() -> None:
    plain, compiled = small_learner(compiled=False), small_learner(compiled=True)
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    for step in range(4):
        expected = train_step(plain, step, images).loss.item()
        assert train_step(compiled, step, images).loss.item() == pytest.approx(expected, rel=1e-4)
    assert isinstance(compiled.network, torch._dynamo.OptimizedModule)
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()
