"""A flow of noise to the leading principal coordinates of latents.

Shapes: N faces, Z latent size, D leading directions, W width of the network.

The flow moves a point x along dx/dt = network(x, t), from noise at t = 0 to latents at t = pi/2.
The network is trained by flow matching (Lipman et al., 2023, "Flow matching for generative
modeling"; Liu et al., 2023, "Flow straight and fast") on the path cos(t) noise + sin(t) latent
(Albergo and Vanden-Eijnden, 2023, "Building normalizing flows with stochastic interpolants"). On
this path whitened latents keep the variance 1 at every t, and a network
that returns 0 draws from the normal distribution. So the network learns the difference from it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ._prior import Prior, PriorKind, Sampler, Settings, Tensors, aligned, check_arrays

END = math.pi / 2
"""Time t at which the flow arrives at latents."""
_NUM_FREQUENCIES = 16
_RMS_SCALE = 4.0
_NETWORK = "network."
"""Prefix of the network's tensors in a file."""


class FlowNetwork(nn.Module):
    """A residual network that computes the velocity of points, N x D, at a time.

    The root mean square of a point is an input, and one half of the output multiplies the point:
    latents mostly differ from a normal distribution in how far from the mean they lie.
    """

    def __init__(self, num_directions: int, width: int, num_blocks: int) -> None:
        super().__init__()
        self.inner = nn.Linear(num_directions + 1, width)
        self.time = nn.Sequential(
            nn.Linear(2 * _NUM_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(num_blocks)
        )
        self.outer = nn.Linear(width, 2 * num_directions)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def encode_time(self, t_N1: Tensor) -> Tensor:
        """Return the codes of times in [0, pi/2], N x W."""
        angles = t_N1 * torch.arange(1, _NUM_FREQUENCIES + 1, device=t_N1.device)
        codes_NW: Tensor = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        return codes_NW

    def forward(self, x_ND: Tensor, code_NW: Tensor) -> Tensor:
        rms_N1 = (x_ND.square().mean(1, keepdim=True) + 1e-6).sqrt()
        hidden = self.inner(torch.cat([x_ND, _RMS_SCALE * (rms_N1 - 1)], 1)) + code_NW
        for block in self.blocks:
            hidden = hidden + block(hidden + code_NW)
        offset_ND, gain_ND = self.outer(functional.silu(hidden)).chunk(2, 1)
        velocity_ND: Tensor = offset_ND + gain_ND * x_ND
        return velocity_ND


class Integrator(nn.Module):
    """Moves points from noise to latents, N x D each, by midpoint steps of equal length."""

    codes: Tensor

    def __init__(self, network: FlowNetwork, num_steps: int) -> None:
        super().__init__()
        self.network = network
        self.num_steps = num_steps
        times = torch.arange(2 * num_steps) * (END / (2 * num_steps))
        with torch.no_grad():
            codes = network.encode_time(times[:, None].to(network.outer.bias.device))
        self.register_buffer("codes", codes)

    def forward(self, x_ND: Tensor) -> Tensor:
        length = END / self.num_steps
        for step in range(self.num_steps):
            middle_ND = x_ND + length / 2 * self.network(x_ND, self.codes[2 * step])
            x_ND = x_ND + length * self.network(middle_ND, self.codes[2 * step + 1])
        return x_ND


@dataclass(frozen=True, kw_only=True, eq=False)
class FlowPrior(Prior):
    """A flow on D principal directions of latents; the rest is normal."""

    kind: ClassVar[PriorKind] = "flow"

    mean: NDArray[np.float32]
    """Z. Mean of the latents."""
    basis: NDArray[np.float32]
    """Z x Z. Principal directions times their standard deviations, most variance first."""
    network: FlowNetwork
    """On the CPU, in evaluation mode."""
    num_steps: int
    """Midpoint steps, each of which runs the network twice."""
    loss: float
    """Flow-matching loss on held-out faces, over that of the normal distribution."""

    def sampler(self) -> "FlowSampler":
        """Return what draws latents from it."""
        return FlowSampler(self)

    def describe(self) -> str:
        """Return what was fitted, in one line for a person."""
        num_leading = self.network.outer.out_features // 2
        return (
            f"flow on {num_leading} of {self.mean.size} directions, {self.num_steps} steps; "
            f"its loss on held-out faces is {self.loss:.4f} of a normal distribution's"
        )

    def tensors(self) -> Tensors:
        """Return mean, basis and the network's weights."""
        weights = self.network.state_dict()
        named = {f"{_NETWORK}{name}": tensor.numpy() for name, tensor in weights.items()}
        return {"mean": self.mean, "basis": np.ascontiguousarray(self.basis), **named}

    def settings(self) -> Settings:
        """Return the number of steps and the loss."""
        return {"num_steps": str(self.num_steps), "loss": repr(self.loss)}

    @classmethod
    def from_file(cls, tensors: Tensors, settings: Settings, **origin: Any) -> Self:
        """Return the flow of these arrays; see `Prior.from_file`."""
        size = tensors["mean"].size
        check_arrays(tensors, np.float32, mean=(size,), basis=(size, size))
        num_steps = int(settings["num_steps"])
        if not 1 <= num_steps <= MAX_STEPS:
            raise ValueError(f"{num_steps} steps")
        network = _read_network(tensors)
        if not 2 <= network.outer.out_features <= 2 * size:
            raise ValueError(f"a flow on {network.outer.out_features // 2} of {size} directions")
        return cls(
            mean=tensors["mean"],
            basis=tensors["basis"],
            network=network,
            num_steps=num_steps,
            loss=float(settings["loss"]),
            **origin,
        )


MAX_STEPS = 64
"""Most midpoint steps of a flow."""


def _read_network(tensors: Tensors) -> FlowNetwork:
    weights = {
        name.removeprefix(_NETWORK): array
        for name, array in tensors.items()
        if name.startswith(_NETWORK)
    }
    width, num_inputs = weights["inner.weight"].shape
    num_blocks = sum(name.startswith("blocks.") for name in weights) // 6
    with torch.device("meta"):
        network = FlowNetwork(num_inputs - 1, width, num_blocks)
    expected = network.state_dict()
    if weights.keys() != expected.keys():
        raise ValueError("weights of another network")
    for name, tensor in expected.items():
        check_arrays(weights, np.float32, **{name: tuple(tensor.shape)})
    network.load_state_dict({name: aligned(array) for name, array in weights.items()}, assign=True)
    return network.eval()


class FlowSampler(Sampler):
    """Draws latents from a flow. Truncation scales the noise that the flow starts from."""

    def __init__(self, prior: FlowPrior) -> None:
        self._prior = prior

    @cached_property
    def module(self) -> nn.Module:
        """The computation in torch; see `Sampler.module`."""
        return _Flow(self._prior).requires_grad_(False)


class _Flow(nn.Module):
    mean: Tensor
    basis: Tensor

    def __init__(self, prior: FlowPrior) -> None:
        super().__init__()
        self.register_buffer("mean", aligned(prior.mean))
        self.register_buffer("basis", aligned(prior.basis))
        self.integrator = Integrator(prior.network, prior.num_steps)
        self.num_leading = prior.network.outer.out_features // 2
        self.has_rest = self.num_leading < len(prior.mean)

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        start_NZ = noise * truncation
        x_NZ = self.integrator(start_NZ[:, : self.num_leading])
        if self.has_rest:
            x_NZ = torch.cat([x_NZ, start_NZ[:, self.num_leading :]], 1)
        return torch.addmm(self.mean, x_NZ, self.basis)
