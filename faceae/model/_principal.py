"""Principal components of faces, halving by halving, as first weights need them.

Shapes: N faces, C channels, H and W pixels, P linear features of a stage, K components, D values of
a row. A block of a stage is 2x2 pixels of the map before it, 4 C values.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._network import FaceAutoEncoder
from ._pixels import to_float

_SAMPLE_VALUES = 2**24
"""Fewest pixel values that the stages are computed from: 1,366 faces of 64x64 pixels."""
MIN_SPREAD = 1e-3
"""Features and components with a smaller share of the largest standard deviation are left out."""
_RAW_SPREAD = 0.1
"""Standard deviation of pixels in [-1, 1]. Faces with a thousandth of it or less do not differ."""
_SHIFT = 3.0
"""Shift of latents, in standard deviations, to where LeakyReLU is the identity."""
_OVERSAMPLING = 64
_POWERS = 2
"""Power iterations of the randomised method."""

Convolution = nn.Conv2d | nn.ConvTranspose2d


class Stage(NamedTuple):
    """Features of one halving: weights on a block, and their statistics over all pixels."""

    kernel_PC22: Tensor
    """Orthonormal."""
    mean_P: Tensor
    std_P: Tensor


class Code(NamedTuple):
    """Principal components of the last feature maps, and how latent numbers represent them.

    Latent number 0 is always 1. Number k + 1 is `encode_K` times component k, plus `shift_K`.
    """

    mean_PHW: Tensor
    components_KPHW: Tensor
    """Orthonormal."""
    std_K: Tensor
    """Descending."""
    encode_K: Tensor
    decode_K: Tensor
    """Amount of the component per unit of the latent number."""
    shift_K: Tensor


def take_sample(batches: Iterator[Tensor]) -> list[Tensor]:
    """Return the first batches, until they hold enough pixel values."""
    sample: list[Tensor] = []
    for batch in batches:
        sample.append(batch)
        if sum(images.numel() for images in sample) >= _SAMPLE_VALUES:
            break
    return sample


def find_stages(model: FaceAutoEncoder, sample: list[Tensor]) -> list[Stage] | None:
    """Return the stages, or None if the faces do not differ or there are too few channels."""
    maps_NCHW = _mirrored_too(torch.cat(sample))
    *convs, _ = list_convolutions(model.encoder)
    stages = []
    for conv in convs:
        # The constant needs one channel of the last stage.
        num_pairs = (conv.out_channels - (conv is convs[-1])) // 2
        kernel_PC22 = _block_components(maps_NCHW, num_pairs)
        if len(kernel_PC22) == 0:
            return None
        maps_NCHW = functional.conv2d(maps_NCHW, kernel_PC22, stride=2)
        std_P, mean_P = torch.std_mean(maps_NCHW, dim=(0, 2, 3))
        stages.append(Stage(kernel_PC22, mean_P, std_P))
    return stages


def _block_components(maps_NCHW: Tensor, num_most: int) -> Tensor:
    """Return at most `num_most` components of blocks of 2x2, as P x C x 2 x 2."""
    centred_NCHW = maps_NCHW - maps_NCHW.mean(dim=(0, 2, 3), keepdim=True)
    blocks_MD = functional.pixel_unshuffle(centred_NCHW, 2).permute(0, 2, 3, 1).flatten(0, 2)
    covariance_DD = blocks_MD.T @ blocks_MD / len(blocks_MD)
    variance_D, basis_DD = torch.linalg.eigh(covariance_DD.double())
    num_kept = min(num_most, _count_spread(variance_D.clamp_min(0.0).sqrt()))
    kernel_PD = basis_DD.T.flip(0)[:num_kept]
    kernel_PC22: Tensor = kernel_PD.to(maps_NCHW.dtype).reshape(num_kept, maps_NCHW.shape[1], 2, 2)
    return kernel_PC22


def find_code(
    model: FaceAutoEncoder,
    stages: list[Stage],
    batches: Iterable[Tensor],
    noise_variance: float,
) -> Code | None:
    """Return the components, as many as latent numbers and faces allow."""
    chunks = []
    for images in batches:
        maps_NCHW = _mirrored_too(images)
        for stage in stages:
            maps_NCHW = functional.conv2d(maps_NCHW, stage.kernel_PC22, stride=2)
        chunks.append(maps_NCHW)
    maps_NPHW = torch.cat(chunks)
    mean_PHW = maps_NPHW.mean(dim=0)
    x_ND = (maps_NPHW - mean_PHW).flatten(1)
    num_most = min(model.config.latent_size - 1, x_ND.shape[1], len(x_ND) - 1)
    if num_most < 1:
        return None
    std_K, components_DK = _principal(x_ND, num_most)
    components_KPHW = components_DK.T.reshape(-1, *mean_PHW.shape)
    if model.config.has_variance:
        excess_K = (std_K.square() - noise_variance).clamp_min(0.0).sqrt()
        encode_K, shift_K = excess_K / std_K.square(), torch.zeros_like(std_K)
        return Code(mean_PHW, components_KPHW, std_K, encode_K, excess_K, shift_K)
    ones_K = torch.ones_like(std_K)
    return Code(mean_PHW, components_KPHW, std_K, ones_K, ones_K, _SHIFT * std_K)


def _principal(x_ND: Tensor, num_most: int) -> tuple[Tensor, Tensor]:
    """Return standard deviations, descending, and directions, D x K, of centred rows.

    By the randomised method of Halko, Martinsson and Tropp (2011), on the covariance. A GPU ends it
    with eigenvalues of a small matrix, because its singular value decomposition of a wide matrix is
    slow (pytorch#64237). The CPU keeps torch's version, and with it the bytes of first weights.
    """
    covariance_DD = x_ND.T @ x_ND / (len(x_ND) - 1)
    rank = min(num_most + _OVERSAMPLING, len(covariance_DD))
    with torch.random.fork_rng(devices=[x_ND.device] if x_ND.is_cuda else []):
        torch.manual_seed(0)
        if x_ND.is_cuda:
            variance_K, basis_DK = _leading_eigenpairs(covariance_DD, rank)
        else:
            basis_DK, variance_K, _ = torch.svd_lowrank(covariance_DD, q=rank, niter=_POWERS)
    std_K = variance_K.sqrt()
    num_kept = min(num_most, _count_spread(std_K))
    return std_K[:num_kept], basis_DK[:, :num_kept]


def _leading_eigenpairs(covariance_DD: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the largest eigenvalues, descending, and eigenvectors, D x K.

    Takes the steps of `torch.svd_lowrank`. Draws from torch's random state.
    """
    basis_DK = torch.randn(len(covariance_DD), rank, device=covariance_DD.device)
    # svd_lowrank multiplies once, and twice for each power.
    for _ in range(1 + 2 * _POWERS):
        basis_DK = torch.linalg.qr(covariance_DD @ basis_DK).Q
    variance_K, rotation_KK = torch.linalg.eigh(basis_DK.T @ covariance_DD @ basis_DK)
    return variance_K.flip(0).clamp_min(0.0), (basis_DK @ rotation_KK).flip(1)


def _count_spread(std_K: Tensor) -> int:
    """Return how many standard deviations exceed rounding errors."""
    largest = max(std_K.max().item(), _RAW_SPREAD)
    return int((std_K > MIN_SPREAD * largest).sum())


def _mirrored_too(images: Tensor) -> Tensor:
    x_NCHW = to_float(images)
    return torch.cat([x_NCHW, x_NCHW.flip(3)])


def list_convolutions(network: nn.Sequential) -> list[Convolution]:
    """Return the convolutions of a network in their order."""
    return [layer for layer in network if isinstance(layer, Convolution)]
