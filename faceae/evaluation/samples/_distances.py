"""Distances between two sets of features, by torchmetrics.

Shapes: N and M faces, D features.
"""

import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_kernel

_BLOCK_FACES = 256


class _Features(nn.Module):
    """Hands features through a metric that expects images and a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features_ND: torch.Tensor) -> torch.Tensor:
        return features_ND


def frechet_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the squared Fréchet distance of the normal distributions fitted to both sets.

    Heusel et al. (2017); for features of Inception this is FID. It is biased: it falls as the sets
    grow. Compare only figures of equal numbers of faces.

    Args:
        first, second: N x D and M x D.
    """
    metric = FrechetInceptionDistance(feature=_Features(first.shape[1])).to(first.device)
    metric.update(first.double(), real=True)
    metric.update(second.double(), real=False)
    return max(float(metric.compute()), 0.0)


def kernel_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the squared maximum mean discrepancy of both sets under the kernel (x y / D + 1)^3.

    Bińkowski et al. (2018); for features of Inception this is KID. It has no bias: for two sets of
    one distribution it lies around 0 and may be negative. Published values average over random
    subsets to save time; this is the estimate from all pairs, which they scatter around.

    Args:
        first, second: N x D and M x D.
    """
    first, second = first.double(), second.double()
    within = _mean_of_pairs(first) + _mean_of_pairs(second)
    return within - 2 * _sum_kernel(first, second) / (len(first) * len(second))


def _mean_of_pairs(x_ND: torch.Tensor) -> float:
    """Return the mean of the kernel over all pairs of different faces."""
    own = (x_ND.square().mean(dim=1) + 1).pow(3).sum()
    return (_sum_kernel(x_ND, x_ND) - float(own)) / (len(x_ND) * (len(x_ND) - 1))


def _sum_kernel(first: torch.Tensor, second: torch.Tensor) -> float:
    return sum(
        float(poly_kernel(first[start : start + _BLOCK_FACES], second).sum())
        for start in range(0, len(first), _BLOCK_FACES)
    )
