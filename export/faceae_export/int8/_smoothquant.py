"""A decoder whose channels fill the integers they will be told in, before it is quantised.

Shapes: N faces, Z latent size, C channels.

What a layer is given is quantised with one scale for all channels, so that a channel of small
values, beside one of large ones, keeps few of its 256 steps. So each channel is divided by a
factor, and the weights that the next layer reads it with are multiplied by it: ReLU lets a positive
factor through, and the latents are divided as they come in. Before that their mean is taken away,
whose part of the first layer is a bias, so that the integers need only tell how latents differ. The
result computes the same for such latents, but for rounding; one that never differs counts as
constant. The factors are those of Xiao et al., "SmoothQuant" (ICML 2023): a part of a channel's
range, on a logarithmic scale, goes into the weights.
"""

import copy
import itertools

import torch
from torch import Tensor, nn

from ..graph import Network, rewrite_network

_STRENGTH = 0.3
"""The share of a channel's range that goes into the weights; they have 7 bits, maps 8."""


def smooth_network(network: Network, z_NZ: Tensor) -> Network:
    """Return an equal network of the rewritten form, its decoder's ranges over `z_NZ` evened out.

    Args:
        network: a model's own layers; nothing of it is changed.
    """
    mean_Z = z_NZ.mean(0)
    decoder, factors = _equalise(network.decoder, z_NZ, mean_Z)
    rewritten = rewrite_network(Network(encoder=network.encoder, decoder=decoder))
    first, *others = rewritten.decoder
    _move_mean(first.get_submodule("product"), mean_Z / factors, (z_NZ != z_NZ[0]).any(0))
    with_division = nn.Sequential(nn.Sequential(_Divided(mean_Z, factors), first), *others).eval()
    return Network(encoder=rewritten.encoder, decoder=with_division)


@torch.inference_mode()
def _move_mean(product: nn.Module, mean_Z: Tensor, differs_Z: Tensor) -> None:
    """Let a product add what it makes of the mean, and forget latents that never differ."""
    assert isinstance(product, nn.Linear)
    bias = product.bias.double() + product.weight.double() @ mean_Z.double()
    product.bias.copy_(bias.float())
    product.weight *= differs_Z


@torch.inference_mode()
def _equalise(layers: nn.Sequential, z_NZ: Tensor, mean_Z: Tensor) -> tuple[nn.Sequential, Tensor]:
    """Return a decoder equal to `layers` and what its latents are to be divided by, Z."""
    evened = copy.deepcopy(layers)
    maps = z_NZ[:, :, None, None]
    factors = from_latents = _take_out(maps - mean_Z[:, None, None], evened[0])
    for layer, reader in itertools.pairwise(evened):
        maps = layer(maps / factors[:, None, None])
        factors = _take_out(maps, reader)
        norm = layer.get_submodule("1")
        assert isinstance(norm, nn.BatchNorm2d)
        norm.weight.div_(factors)
        norm.bias.div_(factors)
    return evened, from_latents


class _Divided(nn.Module):
    """Latents less their mean, by their factors."""

    def __init__(self, mean_Z: Tensor, factors: Tensor) -> None:
        super().__init__()
        self.mean = nn.Buffer(mean_Z[:, None, None])
        self.scale = nn.Buffer(1 / factors[:, None, None])

    def forward(self, z_NZ11: Tensor) -> Tensor:
        return (z_NZ11 - self.mean) * self.scale


def _take_out(maps: Tensor, reader: nn.Module) -> Tensor:
    """Return a factor for each channel, C, which the weights that read it now hold."""
    conv = reader.get_submodule("0")
    assert isinstance(conv, nn.ConvTranspose2d)
    largest = maps.abs().amax((0, 2, 3))
    weight = conv.weight.abs().amax((1, 2, 3))
    factors = largest**_STRENGTH / weight ** (1 - _STRENGTH)
    # What is never seen, or never read, stays as it is.
    factors = torch.where((largest > 0) & (weight > 0), factors, 1.0)
    conv.weight *= factors[:, None, None, None]
    return factors
