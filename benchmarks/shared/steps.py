"""Counts the operations and the arithmetic of one training step, while it runs on the CPU."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from faceae.distributed import Ranks
from faceae.model import ModelConfig, Variant
from faceae.training import TrainConfig
from faceae.training.step import make_train_state, train_step

_COUNTED_FACES = 4
_STEPS = 100
"""Length of a training, in the last step of which model and discriminator both learn."""


class _Operations(TorchDispatchMode):
    """Counts the operations that torch dispatches."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


class StepCost(NamedTuple):
    """What one training step costs."""

    flops: float
    """For each face of the batch: convolutions and matrix products of all networks, forward and
    backward."""
    operations: int
    """Operations that torch dispatches, for the whole batch."""


def count_step(config: ModelConfig, model: Variant) -> StepCost:
    """Run one training step of a kind of model, and count what it does."""
    options = TrainConfig(data=Path("data"), run=Path("run"), model=model, init="random")
    state = make_train_state(
        config,
        options,
        device=torch.device("cpu"),
        amp_dtype=None,
        total_steps=_STEPS,
        ranks=Ranks(),
    )
    shape = (_COUNTED_FACES, 3, config.image_size, config.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    with FlopCounterMode(display=False) as flops:
        train_step(state, _STEPS - 1, images)
    with _Operations() as operations:
        train_step(state, _STEPS - 1, images)
    return StepCost(flops.get_total_flops() / _COUNTED_FACES, operations.count)
