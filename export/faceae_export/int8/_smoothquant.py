"""SmoothQuant: rescale the channels of a decoder so that int8 represents them better.

Shapes: N faces, Z latent size, C channels.

The inputs of a layer are quantised with one scale for all channels. So a channel of small values
beside a channel of large values uses few of the 256 levels. SmoothQuant divides each channel by a
factor, and multiplies the next layer's weights for this channel by the same factor. ReLU commutes
with a positive factor; the latents are divided at the input.

The mean of the latents is subtracted at the input, too, and its effect is added to the bias of the
first layer, so that the integers represent only the deviations from the mean. A latent that is
constant over the given faces is treated as a constant. For such latents the result computes the
same up to rounding.

The factors are those of Xiao et al., "SmoothQuant" (ICML 2023): on a logarithmic scale, a fixed
share of a channel's range moves into the weights.
"""

import copy
import itertools

import torch
from torch import Tensor, nn

from ..graph import Network, rewrite_network

_STRENGTH = 0.3
"""Share of a channel's range that moves into the weights, which have 7 bits; activations have 8."""


def smooth_network(network: Network, z_NZ: Tensor) -> Network:
    """Return an equal, rewritten network whose decoder suits int8 better.

    Args:
        network: the layers of a model, which are not changed.
        z_NZ: latents, N x Z float32, that determine the ranges of the channels.
    """
    mean_Z = z_NZ.mean(0)
    decoder, factors = _smooth_layers(network.decoder, z_NZ, mean_Z)
    rewritten = rewrite_network(Network(encoder=network.encoder, decoder=decoder))
    first, *others = rewritten.decoder
    _move_mean(first.get_submodule("product"), mean_Z / factors, (z_NZ != z_NZ[0]).any(0))
    with_division = nn.Sequential(nn.Sequential(_Normalise(mean_Z, factors), first), *others).eval()
    return Network(encoder=rewritten.encoder, decoder=with_division)


@torch.inference_mode()
def _move_mean(product: nn.Module, mean_Z: Tensor, differs_Z: Tensor) -> None:
    """Add the mean's effect to the bias, and zero the weights of latents that never differ."""
    assert isinstance(product, nn.Linear)
    bias = product.bias.double() + product.weight.double() @ mean_Z.double()
    product.bias.copy_(bias.float())
    product.weight *= differs_Z


@torch.inference_mode()
def _smooth_layers(
    layers: nn.Sequential, z_NZ: Tensor, mean_Z: Tensor
) -> tuple[nn.Sequential, Tensor]:
    """Return a smoothed copy of a decoder, and the factors of its latents, Z."""
    smoothed = copy.deepcopy(layers)
    maps = z_NZ[:, :, None, None]
    factors = from_latents = _scale_weights(maps - mean_Z[:, None, None], smoothed[0])
    for layer, reader in itertools.pairwise(smoothed):
        maps = layer(maps / factors[:, None, None])
        factors = _scale_weights(maps, reader)
        norm = layer.get_submodule("1")
        assert isinstance(norm, nn.BatchNorm2d)
        norm.weight.div_(factors)
        norm.bias.div_(factors)
    return smoothed, from_latents


class _Normalise(nn.Module):
    """Subtract the mean of the latents, and divide by their factors."""

    def __init__(self, mean_Z: Tensor, factors: Tensor) -> None:
        super().__init__()
        self.mean = nn.Buffer(mean_Z[:, None, None])
        self.scale = nn.Buffer(1 / factors[:, None, None])

    def forward(self, z_NZ11: Tensor) -> Tensor:
        return (z_NZ11 - self.mean) * self.scale


def _scale_weights(maps: Tensor, reader: nn.Module) -> Tensor:
    """Multiply a layer's weights by one factor per input channel; return the factors, C."""
    conv = reader.get_submodule("0")
    assert isinstance(conv, nn.ConvTranspose2d)
    largest = maps.abs().amax((0, 2, 3))
    weight = conv.weight.abs().amax((1, 2, 3))
    factors = largest**_STRENGTH / weight ** (1 - _STRENGTH)
    # Channels that are always zero, or that no weight reads, keep their scale.
    factors = torch.where((largest > 0) & (weight > 0), factors, 1.0)
    conv.weight *= factors[:, None, None, None]
    return factors
