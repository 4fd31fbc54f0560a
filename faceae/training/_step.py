"""One optimisation step, and what it works on.

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

from ._batchnorm import keep_statistics, synchronise_batchnorm
from ._config import TrainConfig
from ._objective import Losses, make_objective
from ._ranks import Ranks
from ._speed import capture_graph

_WARMUP_SHARE = 0.1
"""Part of all steps in which the learning rate rises."""


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """A model and what changes it."""

    model: FaceAutoEncoder
    """In training mode, its weights in channels-last order."""
    network: Callable[[torch.Tensor], Losses]
    """What a step calls: the model's objective, compiled or joined with other processes."""
    hold_gradients: Callable[[], AbstractContextManager[None]]
    """Within it processes do not exchange gradients."""
    optimizer: torch.optim.Optimizer
    scaler: GradScaler
    """Scales the loss for float16; does nothing for the other types."""
    device: torch.device
    amp_dtype: torch.dtype | None
    """Type autocast computes in; None: float32 throughout."""
    config: TrainConfig
    total_steps: int
    """Steps of the whole run: what the learning rate is planned over."""

    def count_taken_steps(self) -> int:
        """Return the steps that changed the weights: all but those left out by the scaler.

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
    """Return a train_state at step 0; its weights come from torch's global random state.

    What `check_speed_options` refuses must have been refused. All processes must call it.
    """
    model = FaceAutoEncoder(model_config)
    if config.init == "components":
        # The first weights come with exact ones; those of a batch are noise beside them.
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
        # The fused kernel also unscales float16 gradients, with no wait for the device.
        optimizer=torch.optim.AdamW(model.parameters(), lr=config.peak_lr, fused=True),
        scaler=GradScaler(device.type, enabled=amp_dtype is torch.float16),
        device=device,
        amp_dtype=amp_dtype,
        config=config,
        total_steps=total_steps,
    )


def train_step(train_state: TrainState, step: int, images: torch.Tensor) -> Losses:
    """Change the weights once, and return the losses before: on the device, not awaited.

    Args:
        step: steps done before this one.
        images: N x 3 x H x W uint8, channels-last, on the train_state's device.
    """
    config, optimizer, scaler = train_state.config, train_state.optimizer, train_state.scaler
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, train_state.total_steps, config.peak_lr)
    *parts, last_part = images.chunk(config.accumulate)
    with train_state.hold_gradients():
        losses = [_add_gradients(train_state, part) for part in parts]
    losses.append(_add_gradients(train_state, last_part))
    if config.clip_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(train_state.model.parameters(), config.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return Losses(*(torch.stack(values).mean() for values in zip(*losses, strict=True)))


def _add_gradients(train_state: TrainState, images: torch.Tensor) -> Losses:
    """Add a part of the batch to the gradients, and return its losses."""
    amp_dtype = train_state.amp_dtype
    with torch.autocast(train_state.device.type, amp_dtype, enabled=amp_dtype is not None):
        losses = train_state.network(to_float(images))
    share = losses.loss / train_state.config.accumulate
    train_state.scaler.scale(share).backward()  # type: ignore[no-untyped-call]
    return Losses(losses.loss.detach(), losses.penalty)


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
