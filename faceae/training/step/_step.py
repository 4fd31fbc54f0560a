"""One optimisation step, and the state that it changes.

Shapes: N faces, C channels, H and W pixels.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from faceae.model import FaceAutoEncoder, ModelConfig, to_float
from faceae.runs import TrainConfig

from ..distributed import Ranks, keep_statistics, synchronise_batchnorm
from ._objective import Losses, make_objective
from ._speed import capture_graph

_WARMUP_SHARE = 0.1
"""Share of all steps in which the learning rate rises."""


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """A model with its objective, optimiser and loss scaler."""

    model: FaceAutoEncoder
    """In training mode, with weights in channels-last order."""
    network: Callable[[torch.Tensor], Losses]
    """The objective of the model, which may be compiled or distributed over processes."""
    hold_gradients: Callable[[], AbstractContextManager[None]]
    """Context in which processes do not exchange gradients."""
    optimizer: torch.optim.Optimizer
    scaler: GradScaler
    """Scales the loss for float16. Does nothing for other dtypes."""
    device: torch.device
    amp_dtype: torch.dtype | None
    """Dtype of autocast. None: float32 without autocast."""
    config: TrainConfig
    total_steps: int
    """Number of steps of the whole run, which the learning rate schedule spans."""

    def count_taken_steps(self) -> int:
        """Return the number of steps that changed the weights. The scaler skips the others.

        Waits for the device.
        """
        states = list(self.optimizer.state.values())
        return int(states[0]["step"].item()) if states else 0


def make_train_state(
    model_config: ModelConfig,
    config: TrainConfig,
    *,
    device: torch.device,
    amp_dtype: torch.dtype | None,
    total_steps: int,
    ranks: Ranks,
) -> TrainState:
    """Return a train state at step 0, with weights from torch's global random state.

    All processes must call it. `check_speed_options` must have accepted `config`.
    """
    model = FaceAutoEncoder(model_config)
    if config.init == "components":
        # The components come with exact statistics. Those of a batch are noisy.
        keep_statistics(model)
    elif config.sync_batchnorm and ranks.world_size > 1:
        synchronise_batchnorm(model, device)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    joined = ranks.join(make_objective(model.train(), config), device)
    network: Callable[[torch.Tensor], Losses] = joined.network
    if config.compile:
        network = torch.compile(joined.network)
    if config.cuda_graph:
        network = capture_graph(joined.network, config, model_config, device, amp_dtype)
    return TrainState(
        model=model,
        network=network,
        hold_gradients=joined.hold_gradients,
        # The fused kernel also unscales float16 gradients, without waiting for the device.
        optimizer=torch.optim.AdamW(model.parameters(), lr=config.peak_lr, fused=True),
        scaler=GradScaler(device.type, enabled=amp_dtype is torch.float16),
        device=device,
        amp_dtype=amp_dtype,
        config=config,
        total_steps=total_steps,
    )


def train_step(train_state: TrainState, step: int, images: torch.Tensor) -> Losses:
    """Update the weights once, and return the losses before the update, without waiting for them.

    Args:
        step: number of steps done before this one.
        images: N x 3 x H x W uint8, channels-last, on the device of `train_state`.
    """
    config, optimizer, scaler = train_state.config, train_state.optimizer, train_state.scaler
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, train_state.total_steps, config.peak_lr)
    *micro_batches, last = images.chunk(config.accumulate)
    with train_state.hold_gradients():
        losses = [_add_gradients(train_state, micro_batch) for micro_batch in micro_batches]
    losses.append(_add_gradients(train_state, last))
    if config.clip_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(train_state.model.parameters(), config.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return Losses(*(torch.stack(values).mean() for values in zip(*losses, strict=True)))


def _add_gradients(train_state: TrainState, images: torch.Tensor) -> Losses:
    """Add the gradients of a micro-batch, and return its losses."""
    amp_dtype = train_state.amp_dtype
    with torch.autocast(train_state.device.type, amp_dtype, enabled=amp_dtype is not None):
        losses = train_state.network(to_float(images))
    share = losses.loss / train_state.config.accumulate
    train_state.scaler.scale(share).backward()  # type: ignore[no-untyped-call]
    return Losses(losses.loss.detach(), losses.penalty)


def learning_rate(step: int, total_steps: int, peak_lr: float) -> float:
    """Return the learning rate of step `step`, from 0: a linear rise, then a cosine to zero.

    This is the one-cycle schedule of Smith and Topin (2018), with the shape of torch's OneCycleLR,
    which divides by zero for some short runs.
    """
    warmup_steps = _WARMUP_SHARE * total_steps
    if step + 1 < warmup_steps:
        return peak_lr * (step + 1) / warmup_steps
    progress = (step + 1 - warmup_steps) / (total_steps + 1 - warmup_steps)
    return peak_lr * 0.5 * (1.0 + math.cos(math.pi * progress))
