"""The network that an adversarial model is trained against.

Shapes: N faces, C channels, S image size.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._config import ModelConfig
from ._network import INITIAL_STD, SLOPE, SMALLEST_MAP, stage_channels

_GROUP = 4
"""Faces that the deviation within a batch is taken over."""


class Judged(NamedTuple):
    """What a discriminator makes of a batch."""

    scores_N: Tensor
    """Float32. Positive: taken for a photograph."""
    features: list[Tensor]
    """The maps after each halving, N x C x S x S, the outermost first."""


class Discriminator(nn.Module):
    """Tells photographs from faces that a decoder drew. Training needs it; nothing else does.

    The discriminator of DCGAN (Radford, Metz, Chintala, 2016) with half the channels of the
    encoder. The last layer also sees how much the faces of a batch differ (Karras, Aila, Laine and
    Lehtinen, 2018), which shows a decoder that draws few different faces.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = [max(count // 2, 1) for count in stage_channels(config)]
        self.first = nn.Conv2d(3, channels[0], 4, stride=2, padding=1)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(num_in, num_out, 4, stride=2, padding=1, bias=False)
            for num_in, num_out in itertools.pairwise(channels)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in channels[1:])
        self.last = nn.Conv2d(channels[-1] + 1, 1, SMALLEST_MAP)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=INITIAL_STD)

    def forward(self, images_NCHW: Tensor) -> Judged:
        """Judge faces, N x 3 x S x S float in [-1, 1], RGB.

        Photographs and drawn faces must be judged in one batch: in separate batches BatchNorm would
        hide the difference of their spreads, and with it whether faces are blurred.
        """
        x_NCHW = functional.leaky_relu(self.first(images_NCHW), SLOPE)
        features = [x_NCHW]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x_NCHW = functional.leaky_relu(norm(convolution(x_NCHW)), SLOPE)
            features.append(x_NCHW)
        deviation_N1HW = _deviations(x_NCHW)[:, None, None, None].expand(-1, 1, *x_NCHW.shape[2:])
        scores_N = self.last(torch.cat([x_NCHW, deviation_N1HW], dim=1)).flatten().float()
        return Judged(scores_N, features)


def _deviations(x_NCHW: Tensor) -> Tensor:
    """Return for each face the mean standard deviation of all values within its group."""
    deviations = [
        group.float().std(0, unbiased=False).mean().expand(len(group))
        for group in torch.split(x_NCHW, _GROUP)
    ]
    return torch.cat(deviations).to(x_NCHW.dtype)
