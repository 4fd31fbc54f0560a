"""One optimisation step, and what it works on.

Shapes: N faces, C channels, H and W pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import functional

from faceae.model import FaceAutoEncoder, ModelConfig, to_float

from ._batchnorm import synchronise_batchnorm
from ._ranks import Ranks

_WARMUP_SHARE = 0.1
"""Part of all steps in which the learning rate rises."""


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A model and what changes it."""

    model: FaceAutoEncoder
    """In training mode, its weights in channels-last order."""
    network: nn.Module
    """What a step calls: the model, or the model in what joins several processes."""
    optimizer: torch.optim.Optimizer
    scaler: GradScaler
    """Scales the loss for float16; does nothing for the other types."""
    device: torch.device
    amp_dtype: torch.dtype | None
    """Type autocast computes in; None: float32 throughout."""
    peak_lr: float
    total_steps: int
    """Steps of the whole run: what the learning rate is planned over."""


def make_learner(
    config: ModelConfig,
    *,
    device: torch.device,
    amp_dtype: torch.dtype | None,
    peak_lr: float,
    total_steps: int,
    ranks: Ranks,
    sync_batchnorm: bool = False,
) -> Learner:
    """Return a learner at step 0; its weights come from torch's global random state."""
    model = FaceAutoEncoder(config)
    if sync_batchnorm and ranks.world_size > 1:
        synchronise_batchnorm(model, device)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Learner(
        model=model.train(),
        network=ranks.wrap(model, device),
        # The fused kernel also unscales float16 gradients, with no wait for the device.
        optimizer=torch.optim.AdamW(model.parameters(), lr=peak_lr, fused=True),
        scaler=GradScaler(device.type, enabled=amp_dtype is torch.float16),
        device=device,
        amp_dtype=amp_dtype,
        peak_lr=peak_lr,
        total_steps=total_steps,
    )


def train_step(learner: Learner, step: int, images: torch.Tensor) -> torch.Tensor:
    """Change the weights once, and return the loss before: a scalar on the device, not awaited.

    Args:
        step: steps done before this one.
        images: N x 3 x H x W uint8, channels-last, on the learner's device.
    """
    amp_dtype = learner.amp_dtype
    for group in learner.optimizer.param_groups:
        group["lr"] = learning_rate(step, learner.total_steps, learner.peak_lr)
    images_NCHW = to_float(images)
    with torch.autocast(learner.device.type, amp_dtype, enabled=amp_dtype is not None):
        faces_NCHW = learner.network(images_NCHW)
    loss = functional.mse_loss(faces_NCHW.float(), images_NCHW)
    learner.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    learner.optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def learning_rate(step: int, total_steps: int, peak_lr: float) -> float:
    """Return the rate of step `step` (from 0): a linear rise, then half a cosine down to zero.

    The one-cycle schedule of Smith and Topin (2018), in the shape of torch's OneCycleLR, which
    divides by zero for some short runs.
    """
    warmup_steps = _WARMUP_SHARE * total_steps
    if step + 1 < warmup_steps:
        return peak_lr * (step + 1) / warmup_steps
    progress = (step + 1 - warmup_steps) / (total_steps + 1 - warmup_steps)
    return peak_lr * 0.5 * (1.0 + math.cos(math.pi * progress))
