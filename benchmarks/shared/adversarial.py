"""What adversarial training would cost on one H100: a prediction, not a measurement.

Operations and arithmetic of a step are counted while it runs on the CPU. The rates are those of
`node`, but for the launches: an adversarial step has several times the operations of a plain one,
and 10 microseconds for each is assumed.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared import node
from faceae.distributed import Ranks
from faceae.model import ModelConfig
from faceae.training import TrainConfig
from faceae.training.step import make_train_state, train_step

_COUNTED_FACES = 4
_LAUNCH_S = 10e-6
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
    """What one adversarial step costs."""

    flops: float
    """For each face of the batch: convolutions and matrix products of encoder, decoder and
    discriminator, forward and backward."""
    operations: int
    """Operations that torch dispatches, for the whole batch."""


def count_step(config: ModelConfig) -> StepCost:
    """Run one adversarial step, and count what it does."""
    options = TrainConfig(data=Path("data"), run=Path("run"), model="adversarial", init="random")
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


def predict(config: ModelConfig, *, batch_size: int, faces: int, epochs: int) -> dict[str, Any]:
    """Return the predicted steps a second of one H100, and hours and dollars of a training."""
    cost = count_step(config)
    gpu = node.Node(launch_s=cost.operations * _LAUNCH_S)
    work = node.Work(
        flops=cost.flops,
        weight_bytes=0,  # one GPU adds up no gradients
        jpegs_per_core_s=0,  # arrays are not decoded
        batch_size=batch_size,
    )
    rate = node.predict(work, 1, jpegs=False, node=gpu)
    return {
        "is_a_prediction": True,
        "figures": {
            **node.describe(),
            "launch_s": {"value": gpu.launch_s, "source": "assumed: 10 us for each operation"},
        },
        "flops_per_face": cost.flops,
        "operations": cost.operations,
        "batch_size": batch_size,
        "steps_per_s": rate["faces_per_s"] / batch_size,
        "faces_per_s": rate["faces_per_s"],
        "faces": faces,
        "epochs": epochs,
        **node.price(work, faces, epochs, 1, jpegs=False, node=gpu),
    }
