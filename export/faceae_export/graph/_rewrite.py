"""Rewrite the network to an equal one that every engine computes faster.

Shapes: N faces, Z latent size, C channels, H/W pixels.

The rewrite uses three exact equalities:

- A BatchNorm in evaluation mode multiplies each channel by a factor and adds an offset. Both are
  folded into the weights and the bias of the convolution before it. The encoder needs no more.
- A transposed convolution of a single pixel is a matrix product.
- In a transposed convolution 4x4, stride 2, padding 1, output row 2i + a depends on two input rows
  and two rows of the kernel only: rows i - 1, i with kernel rows 3, 1 if a is 0, and rows i, i + 1
  with kernel rows 2, 0 if a is 1. The same holds for columns. So the pixels of each of the four
  parities (a, b) come from a plain 2x2 convolution, and the layer interleaves the four results: a
  sub-pixel convolution.

The third equality brings the speed. Engines have fast kernels for plain convolutions, but compute a
transposed convolution as a matrix product whose columns they scatter.
"""

import copy

import torch
from torch import Tensor, nn

from ._network import Network

_PARITIES = ((0, 0), (0, 1), (1, 0), (1, 1))
_KERNEL_ROWS = ([3, 1], [2, 0])
"""Rows (and columns) of the 4x4 kernel for each parity, in the order of the input's rows."""
_MIN_CHANNELS = 16
"""With fewer output channels than this, which do not fill a vector register, one convolution
computes all four parities."""


def rewrite_network(network: Network) -> Network:
    """Return an equal network in evaluation mode, with one layer for each of `network`.

    Works for any image size, width and latent size. Weights are computed in float64 and rounded
    once. Results differ only by rounding, as float32 sums are added in another order. `network` is
    neither changed nor shared.
    """
    return Network(
        encoder=rewrite_encoder(network.encoder), decoder=rewrite_decoder(network.decoder)
    )


def rewrite_encoder(layers: nn.Sequential) -> nn.Sequential:
    """Return an equal encoder; see `rewrite_network`.

    Args:
        layers: `split_layers` of a model's encoder, N x 3 x S x S to N x Z x 1 x 1.
    """
    return nn.Sequential(*map(_fold_conv, layers)).eval()


def rewrite_decoder(layers: nn.Sequential) -> nn.Sequential:
    """Return an equal decoder; see `rewrite_network`.

    Args:
        layers: `split_layers` of a model's decoder, N x Z x 1 x 1 to N x 3 x S x S.
    """
    first, *others = layers
    rewritten = [_LinearStem(*_fold(first)), *(_SubPixelConv(*_fold(layer)) for layer in others)]
    return nn.Sequential(*rewritten).eval()


def _fold(layer: nn.Module) -> tuple[Tensor, Tensor, nn.Module]:
    """Return weight (in the convolution's layout) and bias in float64, and the activation."""
    conv, *norms, activation = layer.children()
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    weight = conv.weight.detach().double()
    bias = weight.new_zeros(conv.out_channels)
    if conv.bias is not None:
        bias = conv.bias.detach().double()
    by_channel = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    for norm in norms:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = weight * scale.reshape(by_channel)
        bias = (bias - norm.running_mean) * scale + norm.bias.detach()
    return weight, bias, copy.deepcopy(activation)


def _fold_conv(layer: nn.Module) -> nn.Sequential:
    weight, bias, activation = _fold(layer)
    conv = copy.deepcopy(layer.get_submodule("0"))
    assert isinstance(conv, nn.Conv2d)
    _set(conv, weight, bias)
    return nn.Sequential(conv, activation)


class _LinearStem(nn.Module):
    """A transposed convolution of one pixel as a matrix product: N x Z x 1 x 1 to N x C x H x W."""

    def __init__(self, weight: Tensor, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        latent_size, *self.shape_CHW = weight.shape
        # The product returns channels last, the layout of all later layers.
        weight_HWCZ = weight.permute(2, 3, 1, 0)
        num_pixels = weight_HWCZ.shape[0] * weight_HWCZ.shape[1]
        self.product = nn.Linear(latent_size, weight[0].numel())
        _set(self.product, weight_HWCZ.reshape(-1, latent_size), bias.repeat(num_pixels))
        self.activation = activation

    def forward(self, z: Tensor) -> Tensor:
        num_channels, height, width = self.shape_CHW
        maps: Tensor = self.activation(self.product(z.flatten(1)))
        return maps.reshape(-1, height, width, num_channels).permute(0, 3, 1, 2)


class _SubPixelConv(nn.Module):
    """A transposed convolution 4x4, stride 2, padding 1, as a sub-pixel convolution.

    Computes N x C' x 2H x 2W from N x C x H x W.
    """

    def __init__(self, weight: Tensor, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        make = _SeparateParities if weight.shape[1] >= _MIN_CHANNELS else _JointParities
        self.parities = make(weight, bias, activation)

    def forward(self, maps: Tensor) -> Tensor:
        # With channels last, interleaving moves whole pixels.
        pixels_NHWC = [parity.permute(0, 2, 3, 1) for parity in self.parities(maps)]
        rows = [torch.stack(pixels_NHWC[:2], 3), torch.stack(pixels_NHWC[2:], 3)]
        doubled_NHWC = torch.stack(rows, 2).flatten(3, 4).flatten(1, 2)
        return doubled_NHWC.permute(0, 3, 1, 2)


class _SeparateParities(nn.Module):
    """Four 2x2 convolutions, each padded only where its window leaves the picture."""

    def __init__(self, weight: Tensor, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        for a, b in _PARITIES:
            conv = nn.Conv2d(weight.shape[0], weight.shape[1], kernel_size=2)
            _set(conv, _parity_weight(weight, a, b), bias)
            padding = nn.ZeroPad2d((1 - b, b, 1 - a, a))
            self.convs.append(nn.Sequential(padding, conv, activation))

    def forward(self, maps: Tensor) -> list[Tensor]:
        return [conv(maps) for conv in self.convs]


class _JointParities(nn.Module):
    """One 2x2 convolution to four times the channels, padded on all sides, then cropped."""

    def __init__(self, weight: Tensor, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        num_in, num_out = weight.shape[:2]
        self.conv = nn.Conv2d(num_in, 4 * num_out, kernel_size=2, padding=1)
        weights = [_parity_weight(weight, a, b) for a, b in _PARITIES]
        _set(self.conv, torch.cat(weights), bias.repeat(4))
        self.activation = activation

    def forward(self, maps: Tensor) -> list[Tensor]:
        height, width = maps.shape[2:]
        windows = self.activation(self.conv(maps)).chunk(4, 1)
        return [
            parity[:, :, a : a + height, b : b + width]
            for parity, (a, b) in zip(windows, _PARITIES, strict=True)
        ]


def _parity_weight(weight: Tensor, a: int, b: int) -> Tensor:
    """Return the 2x2 kernel, C_out x C_in x 2 x 2, for pixels of parity (a, b)."""
    return weight[:, :, _KERNEL_ROWS[a]][..., _KERNEL_ROWS[b]].transpose(0, 1)


def _set(module: nn.Linear | nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    assert module.weight.shape == weight.shape
    module.weight = nn.Parameter(weight.float().contiguous())
    module.bias = nn.Parameter(bias.float())
