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

from faceae.distributed import Ranks, keep_statistics, synchronise_batchnorm
from faceae.model import FaceAutoEncoder, ModelConfig, to_float
from faceae.runs import TrainConfig

from ._adversary import (
    BETAS,
    STAGES_SHARE,
    WARM_UP_KEEP,
    WARM_UP_SHARE,
    Adversary,
    deceive,
    make_adversary,
    train_discriminator,
)
from ._objective import Drawing, Losses, make_objective
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
    """Number of steps of the whole run."""
    adversary: Adversary | None
    """What an adversarial model trains against. None for other kinds."""
    first_step: int = 0
    """Step at which the schedule of the learning rate begins, which ends with the run."""

    @property
    def kept_model(self) -> FaceAutoEncoder:
        """The model that is measured, and kept by the run: `model` or its moving average."""
        return self.model if self.adversary is None else self.adversary.average

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from the run's first, which is 0."""
        first = self.first_step
        return learning_rate(step - first, self.total_steps - first, self.config.peak_lr)

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
    first_step: int = 0,
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
    objective = make_objective(model.train(), config).to(device)
    # The adversarial objective has buffers of its own.
    is_fixed = config.init == "components" and not isinstance(objective, Drawing)
    joined = ranks.join(objective, device, has_fixed_buffers=is_fixed)
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
        optimizer=_make_optimizer(model, config),
        scaler=GradScaler(device.type, enabled=amp_dtype is torch.float16),
        device=device,
        amp_dtype=amp_dtype,
        config=config,
        total_steps=total_steps,
        adversary=(
            make_adversary(objective, joined.network, ranks)
            if isinstance(objective, Drawing)
            else None
        ),
        first_step=first_step,
    )


def _make_optimizer(model: FaceAutoEncoder, config: TrainConfig) -> torch.optim.Optimizer:
    if config.model == "adversarial":
        return torch.optim.Adam(model.parameters(), lr=config.peak_lr, betas=BETAS, fused=True)
    return torch.optim.AdamW(model.parameters(), lr=config.peak_lr, fused=True)


def train_step(train_state: TrainState, step: int, images: torch.Tensor) -> Losses:
    """Update the weights once, and return the losses before the update, without waiting for them.

    Args:
        step: number of steps done before this one.
        images: N x 3 x H x W uint8, channels-last, on the device of `train_state`.
    """
    config, scaler = train_state.config, train_state.scaler
    for group in train_state.optimizer.param_groups:
        group["lr"] = train_state.learning_rate(step)
    if train_state.adversary is not None:
        return _adversarial_step(train_state, train_state.adversary, step, images)
    *micro_batches, last = images.chunk(config.accumulate)
    with train_state.hold_gradients():
        losses = [_add_gradients(train_state, micro_batch) for micro_batch in micro_batches]
    losses.append(_add_gradients(train_state, last))
    _take_step(train_state)
    scaler.update()
    return Losses(*(torch.stack(values).mean() for values in zip(*losses, strict=True)))


def _take_step(train_state: TrainState) -> None:
    """Change the model's weights by its gradients, and forget them."""
    optimizer, clip_norm = train_state.optimizer, train_state.config.clip_norm
    if clip_norm is not None:
        train_state.scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(train_state.model.parameters(), clip_norm)
    train_state.scaler.step(optimizer)
    optimizer.zero_grad(set_to_none=True)


def _adversarial_step(
    train_state: TrainState, adversary: Adversary, step: int, images: torch.Tensor
) -> Losses:
    """Update the weights of the model, of the discriminator, or of both, which share the faces.

    At first the model trains as a variational one; then the discriminator learns alone; then both.
    """
    progress = step / train_state.total_steps
    if progress < WARM_UP_SHARE:
        losses = _add_gradients(train_state, images)
        _take_step(train_state)
        train_state.scaler.update()
        adversary.average_weights(train_state.model, keep=WARM_UP_KEEP if step else 0.0)
        return losses
    learns_alone = progress < STAGES_SHARE
    if not learns_alone and (step - 1) / train_state.total_steps < STAGES_SHARE:
        # The gradients grow by orders of magnitude here. With the moments of the small ones, the
        # first steps would be large enough to destroy the model.
        train_state.optimizer.state.clear()
    scaler, discriminator = train_state.scaler, adversary.discriminator
    faces_NCHW = to_float(images)
    lr = train_state.optimizer.param_groups[0]["lr"]
    with _autocast(train_state):
        with torch.set_grad_enabled(not learns_alone):
            drawn = adversary.draw(faces_NCHW, draw=True)
        loss = train_discriminator(adversary, faces_NCHW, drawn, lr)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    scaler.step(adversary.optimizer)
    adversary.optimizer.zero_grad(set_to_none=True)
    if not learns_alone:
        discriminator.requires_grad_(requires_grad=False)
        with _autocast(train_state):
            loss = deceive(adversary, faces_NCHW, drawn)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        discriminator.requires_grad_(requires_grad=True)
        _take_step(train_state)
        adversary.average_weights(train_state.model)
    scaler.update()
    penalty = drawn.penalty.detach()
    return Losses(drawn.error.detach() + penalty, penalty)


def _autocast(train_state: TrainState) -> torch.autocast:
    amp_dtype = train_state.amp_dtype
    return torch.autocast(train_state.device.type, amp_dtype, enabled=amp_dtype is not None)


def _add_gradients(train_state: TrainState, images: torch.Tensor) -> Losses:
    """Add the gradients of a micro-batch, and return its losses."""
    with _autocast(train_state):
        losses = train_state.network(to_float(images))
    share = losses.loss / train_state.config.accumulate
    train_state.scaler.scale(share).backward()  # type: ignore[no-untyped-call]
    # The penalty of a CUDA graph requires a gradient, though the objective's does not.
    return Losses(losses.loss.detach(), losses.penalty.detach())


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
