"""Compilation and CUDA graphs, which make a step faster on machines that support them.

The CUDA code follows torch's documentation and has not yet run on a GPU.
"""

import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from faceae.errors import FaceaeError
from faceae.model import ModelConfig
from faceae.runs import TrainConfig

from ._objective import Losses


def check_speed_options(config: TrainConfig, device: torch.device, world_size: int) -> None:
    """Raise FaceaeError if `compile` or `cuda_graph` cannot work here. Takes some seconds."""
    if config.compile:
        _check_compiler(device)
    if config.cuda_graph and device.type != "cuda":
        raise FaceaeError(
            "`cuda_graph` needs a GPU, and training is on the CPU; leave it out "
            "(`compile` is the option for a CPU)"
        )
    if config.cuda_graph and world_size > 1:
        raise FaceaeError("`cuda_graph` works in one process only; leave it out under torchrun")


def _check_compiler(device: torch.device) -> None:
    def add_one(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    try:
        torch.compile(add_one)(torch.zeros(8, device=device))
    except TorchDynamoException as error:
        needed = "a C++ compiler such as g++" if device.type == "cpu" else "Triton and a C compiler"
        raise FaceaeError(
            f"`compile`: torch.compile does not work here ({str(error).splitlines()[0]}); "
            f"install {needed}, or leave it out"
        ) from error


def capture_graph(
    objective: nn.Module,
    config: TrainConfig,
    model_config: ModelConfig,
    device: torch.device,
    amp_dtype: torch.dtype | None,
) -> nn.Module:
    """Return `objective` with forward and backward pass as CUDA graphs for the training batch.

    Weights, BatchNorm's statistics and the random state are restored after the warm-up passes.
    """
    size = model_config.image_size
    recorder = _Recorder(objective)
    images_NCHW = torch.zeros(config.batch_size, 3, size, size, device=device)
    images_NCHW = images_NCHW.contiguous(memory_format=torch.channels_last)
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    random_state = torch.cuda.get_rng_state(device)
    # Casts that autocast cached in one pass would not be part of the captured pass.
    with torch.autocast(device.type, amp_dtype, enabled=amp_dtype is not None, cache_enabled=False):
        graphed = torch.cuda.make_graphed_callables(recorder, (images_NCHW,))
    objective.load_state_dict(before)
    torch.cuda.set_rng_state(random_state, device)
    recorder.release()
    assert isinstance(graphed, nn.Module), "a module in, a module out"
    return graphed


class _Recorder(nn.Module):
    """An objective whose last losses can be separated from their autograd graph."""

    def __init__(self, objective: nn.Module) -> None:
        super().__init__()
        self.objective = objective
        self._losses: Losses | None = None

    def forward(self, images_NCHW: torch.Tensor) -> Losses:
        """Return the objective's losses."""
        self._losses = self.objective(images_NCHW)
        return self._losses

    def release(self) -> None:
        """Free the autograd graph of the losses, and forget them.

        A captured graph keeps its losses, and with them the nodes that accumulate gradients. Such a
        node belongs to the stream that was current when it was made, here the stream of the
        capture. Every backward pass on another stream would wait for an event for each parameter,
        and torch 2.10 warns about it (pytorch#166136). Without the old nodes, each step makes its
        own.
        """
        assert self._losses is not None, "called after the capture"
        for loss in self._losses:
            if loss.requires_grad:
                loss.detach_()
        self._losses = None
