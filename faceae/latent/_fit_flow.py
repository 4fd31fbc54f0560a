"""Trains a flow by flow matching, until it no longer improves on held-out faces.

Shapes: N faces, Z latent size, D leading directions.
"""

import copy
import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceae.device import full_float32
from faceae.errors import FaceaeError

from ._flow import END, MAX_STEPS, FlowNetwork, FlowPrior, Integrator
from ._held_out import OnProgress, check_latents, hold_out
from ._normal import NormalPrior
from ._principal import find_directions

_SEED = 0
_BATCH_SIZE = 256
_SHOW_STEPS = 10
"""Training steps between two reports of the progress."""
_CHECK_STEPS = 250
"""Training steps between two measurements on held-out faces."""
_PATIENCE = 5
"""Measurements without an improvement after which training ends."""
_HELD_OUT_DRAWS = 8
"""Times and noises that each held-out face is measured with."""
_DECAY = 0.998
_WARM_UP_STEPS = 10
_MAX_STEP_ERROR = 0.02
"""Largest root mean square error of the midpoint steps, in standard deviations of latents."""


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Size and training of a flow."""

    width: int = 512
    """Width of the network."""
    num_blocks: int = 3
    """Residual blocks of the network."""
    lr: float = 1e-3
    """Learning rate of AdamW."""
    max_steps: int = 20_000
    """Most training steps, of 256 faces each."""


def fit_flow(
    latents_NZ: NDArray[np.float32],
    normal: NormalPrior,
    on_progress: OnProgress = lambda done, total: None,
    *,
    device: torch.device | None = None,
    config: FlowConfig | None = None,
) -> FlowPrior:
    """Train a flow on the leading principal directions of latents.

    A tenth of the faces, chosen by a fixed seed, is held out. The moving average of the weights
    that is the best on them is kept. On one machine, the same latents give the same flow.

    Args:
        normal: mean and covariance of `latents_NZ`, and their origin.
        on_progress: see `OnProgress`. Training may end before the largest number of faces.
        device: device to train on. None: the CPU.

    Raises:
        FaceaeError: too few faces, a latent size of 1, all latents are equal, or the loss is no
            longer finite.
    """
    check_latents("flow", latents_NZ, normal)
    config = config or FlowConfig()
    device = device or torch.device("cpu")
    directions = find_directions(normal)
    train_ND, held_ND = hold_out(torch.from_numpy(directions.whiten(latents_NZ)).float())
    with full_float32():
        network, loss = _train(train_ND.to(device), held_ND.to(device), config, on_progress)
        network = network.cpu()
        num_steps = _choose_steps(network)
    return FlowPrior(
        mean=directions.mean.astype(np.float32),
        basis=directions.basis.astype(np.float32),
        network=network,
        num_steps=num_steps,
        loss=loss,
        count=normal.count,
        weights_hash=normal.weights_hash,
        dataset_hash=normal.dataset_hash,
    )


def _train(
    train_ND: Tensor, held_ND: Tensor, config: FlowConfig, on_progress: OnProgress
) -> tuple[FlowNetwork, float]:
    """Return the best average network, and its held-out loss over that of a network of zeros."""
    network = _make_network(train_ND, config)
    average = copy.deepcopy(network).requires_grad_(False)
    best = copy.deepcopy(average)
    zero_loss = lowest = _measure(average, held_ND)
    best_step = 0
    optimizer = torch.optim.AdamW(network.parameters(), config.lr, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(_SEED)
    for step in range(1, config.max_steps + 1):
        rows_N = torch.randint(len(train_ND), (_BATCH_SIZE,), generator=generator)
        loss = _loss(network, train_ND[rows_N.to(train_ND.device)], generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _average(average, network, step)
        if step % _SHOW_STEPS == 0:
            on_progress(step * _BATCH_SIZE, config.max_steps * _BATCH_SIZE)
        if step % _CHECK_STEPS == 0 or step == config.max_steps:
            found = _measure(average, held_ND)
            if found < lowest:
                lowest, best_step = found, step
                best.load_state_dict(average.state_dict())
            elif step - best_step >= _PATIENCE * _CHECK_STEPS:
                break
    return best, lowest / zero_loss


def _make_network(x_ND: Tensor, config: FlowConfig) -> FlowNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = FlowNetwork(x_ND.shape[1], config.width, config.num_blocks)
    return network.to(x_ND.device)


def _loss(network: FlowNetwork, x_ND: Tensor, generator: torch.Generator) -> Tensor:
    """Return the flow-matching loss of faces, with random times and noise."""
    noise_ND = torch.randn(x_ND.shape, generator=generator).to(x_ND.device)
    t_N1 = END * torch.rand(len(x_ND), 1, generator=generator).to(x_ND.device)
    point_ND = t_N1.cos() * noise_ND + t_N1.sin() * x_ND
    velocity_ND = t_N1.cos() * x_ND - t_N1.sin() * noise_ND
    return functional.mse_loss(network(point_ND, network.encode_time(t_N1)), velocity_ND)


@torch.no_grad()
def _measure(network: FlowNetwork, held_ND: Tensor) -> float:
    """Return the loss of held-out faces; every call takes the same times and noise.

    Raises:
        FaceaeError: it is not finite.
    """
    generator = torch.Generator().manual_seed(_SEED + 1)
    batches = itertools.chain.from_iterable(
        itertools.repeat(torch.split(held_ND, _BATCH_SIZE), _HELD_OUT_DRAWS)
    )
    total = sum(len(x_ND) * float(_loss(network, x_ND, generator)) for x_ND in batches)
    if not math.isfinite(total):
        raise FaceaeError("`prior='flow'`: its loss is no longer finite; pass `prior='gmm'`")
    return total / (_HELD_OUT_DRAWS * len(held_ND))


@torch.no_grad()
def _average(average: FlowNetwork, network: FlowNetwork, step: int) -> None:
    """Move the average of the weights towards the present ones, faster in the first steps."""
    decay = min(_DECAY, step / (step + _WARM_UP_STEPS))
    for mean, now in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)


@torch.no_grad()
def _choose_steps(network: FlowNetwork) -> int:
    """Return the fewest midpoint steps that end where many end, up to `_MAX_STEP_ERROR`."""
    generator = torch.Generator().manual_seed(_SEED + 2)
    num_directions = network.outer.out_features // 2
    noise_ND = torch.randn(_BATCH_SIZE, num_directions, generator=generator)
    exact_ND = Integrator(network, MAX_STEPS)(noise_ND)
    num_steps = 1
    while num_steps < MAX_STEPS // 2:
        found_ND = Integrator(network, num_steps)(noise_ND)
        if float((found_ND - exact_ND).square().mean().sqrt()) <= _MAX_STEP_ERROR:
            break
        num_steps *= 2
    return num_steps
