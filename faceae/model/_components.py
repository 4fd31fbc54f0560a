"""First weights that make the network a principal component analysis of faces.

Shapes: N faces, C channels, H and W pixels, P linear features of a stage, K components, Z latent
size. A stage's block is 2x2 pixels of the map before it, 4 C values.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._network import SLOPE, FaceAutoEncoder
from ._pixels import to_float

_SAMPLE_VALUES = 2**24
"""Fewest pixel values that the stages are computed from: 1,366 faces of 64x64 pixels."""
_MIN_SPREAD = 1e-3
"""Features and components with a smaller share of the largest standard deviation are left out."""
_RAW_SPREAD = 0.1
"""Standard deviation of pixels in [-1, 1]. Faces with a thousandth of it or less do not differ."""
_SHIFT = 3.0
"""Shift of latents, in standard deviations, to where LeakyReLU is the identity."""
_GAIN = 1.2
"""Gain of the last layer, which compensates most of the saturation of tanh."""
_OVERSAMPLING = 64
_POWERS = 2
"""Power iterations of the randomised method."""
_NUM_PLACES = 16
"""Pixels of the last feature maps, 4x4."""
_LOG_VARIANCE_OF_CONSTANT = -8.0
"""Log-variance of a variational model's constant latent number: nearly no noise, for few nats."""

_Convolution = nn.Conv2d | nn.ConvTranspose2d


class _Stage(NamedTuple):
    """Features of one halving: weights on a block, and their statistics over all pixels."""

    kernel_PC22: Tensor
    """Orthonormal."""
    mean_P: Tensor
    std_P: Tensor


class _Code(NamedTuple):
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


@torch.no_grad()
def start_from_components(
    model: FaceAutoEncoder, batches: Iterable[Tensor], *, noise_variance: float = 0.0
) -> int:
    """Set weights with which `model` reconstructs like PCA of the faces and their mirror images.

    Each halving maps blocks of 2x2 to their principal components. The last layer maps the result to
    the principal components of whole faces. The decoder is the transpose of the encoder. The number
    of channels limits how many components are kept. A linear feature uses a pair of channels of
    opposite signs, whose difference after the activation is linear again (the converse of
    concatenated ReLU: Shang, Sohn, Almeida and Lee, 2016). One channel and the first latent number
    are constant and replace biases. The weights of unused channels are kept; they have no effect at
    first.

    A variational model becomes the best linear one (Tipping and Bishop, 1999; Lucas, Tucker, Grosse
    and Norouzi, 2019).

    Args:
        model: as constructed, on any device.
        batches: faces, N x 3 x S x S uint8, on the model's device. Memory holds the last feature
            maps of all of them: 64 numbers per face and channel of the first convolution.
        noise_variance: variance of a variational model's decoder, pixels in [-1, 1].

    Returns:
        The number of components. 0 if the faces do not differ or the model is too narrow; its
        weights are unchanged then.
    """
    faces = iter(batches)
    sample = _take_sample(faces)
    stages = _find_stages(model, sample)
    if stages is None:
        return 0
    code = _find_code(model, stages, chain(sample, faces), noise_variance)
    if code is None:
        return 0
    _set_encoder(model, stages)
    _set_code(model, stages[-1], code)
    if model.config.has_variance:
        _set_log_variance(model, stages[-1], code, noise_variance)
    _set_decoder(model, stages)
    return len(code.std_K)


def _take_sample(batches: Iterator[Tensor]) -> list[Tensor]:
    """Return the first batches, until they hold enough pixel values."""
    sample: list[Tensor] = []
    for batch in batches:
        sample.append(batch)
        if sum(images.numel() for images in sample) >= _SAMPLE_VALUES:
            break
    return sample


def _find_stages(model: FaceAutoEncoder, sample: list[Tensor]) -> list[_Stage] | None:
    """Return the stages, or None if the faces do not differ or there are too few channels."""
    maps_NCHW = _mirrored_too(torch.cat(sample))
    *convs, _ = _convolutions(model.encoder)
    stages = []
    for conv in convs:
        # The constant needs one channel of the last stage.
        num_pairs = (conv.out_channels - (conv is convs[-1])) // 2
        kernel_PC22 = _block_components(maps_NCHW, num_pairs)
        if len(kernel_PC22) == 0:
            return None
        maps_NCHW = functional.conv2d(maps_NCHW, kernel_PC22, stride=2)
        std_P, mean_P = torch.std_mean(maps_NCHW, dim=(0, 2, 3))
        stages.append(_Stage(kernel_PC22, mean_P, std_P))
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


def _find_code(
    model: FaceAutoEncoder,
    stages: list[_Stage],
    batches: Iterable[Tensor],
    noise_variance: float,
) -> _Code | None:
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
        return _Code(mean_PHW, components_KPHW, std_K, encode_K, excess_K, shift_K)
    ones_K = torch.ones_like(std_K)
    return _Code(mean_PHW, components_KPHW, std_K, ones_K, ones_K, _SHIFT * std_K)


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
    return int((std_K > _MIN_SPREAD * largest).sum())


def _mirrored_too(images: Tensor) -> Tensor:
    x_NCHW = to_float(images)
    return torch.cat([x_NCHW, x_NCHW.flip(3)])


def _set_encoder(model: FaceAutoEncoder, stages: list[_Stage]) -> None:
    """Set all convolutions except the last: features divided by their standard deviations."""
    first, *convs = _convolutions(model.encoder)[:-1]
    _set_block(first, _paired(stages[0].kernel_PC22 / _column(stages[0].std_P), 0))
    norms = [layer for layer in model.encoder if isinstance(layer, nn.BatchNorm2d)]
    before = stages[0]
    for conv, norm, stage in zip(convs, norms, stages[1:], strict=True):
        kernel_PC22 = stage.kernel_PC22 / _column(stage.std_P)
        # The previous BatchNorm has subtracted its part of the mean.
        taken_C = torch.zeros_like(before.mean_P) if before is stages[0] else before.mean_P
        missing_P = (kernel_PC22 * taken_C[:, None, None]).flatten(1).sum(dim=1)
        _set_norm(norm, stage.mean_P / stage.std_P - missing_P, torch.zeros_like(stage.std_P))
        kernel_PC22 = kernel_PC22 * before.std_P[:, None, None] / (1.0 + SLOPE)
        _set_block(conv, _paired(_paired(kernel_PC22, 0), 1))
        before = stage
    constant = 2 * len(stages[-1].std_P)
    norms[-1].weight[constant], norms[-1].bias[constant] = 0.0, 1.0


def _set_code(model: FaceAutoEncoder, stage: _Stage, code: _Code) -> None:
    """Set the last convolution and the decoder's first."""
    constant, num_codes = 2 * len(stage.std_P), len(code.std_K) + 1
    std_P11, mean_P11 = stage.std_P[:, None, None], stage.mean_P[:, None, None]
    kernel_KPHW = _column(code.encode_K) * code.components_KPHW
    # BatchNorm subtracted the mean over all pixels. The rest of the mean map remains.
    rest_K = (kernel_KPHW * (code.mean_PHW - mean_P11)).flatten(1).sum(dim=1)
    weight_ZCHW = _convolutions(model.encoder)[-1].weight
    weight_ZCHW[:num_codes] = 0.0
    weight_ZCHW[1:num_codes, :constant] = _paired(kernel_KPHW * std_P11 / (1.0 + SLOPE), 1)
    weight_ZCHW[0, constant] = 1.0 / _NUM_PLACES
    weight_ZCHW[1:num_codes, constant] = (code.shift_K - rest_K)[:, None, None] / _NUM_PLACES

    kernel_KPHW = _column(code.decode_K) * code.components_KPHW
    constant_PHW = code.mean_PHW - (_column(code.shift_K) * kernel_KPHW).sum(dim=0)
    weight_ZCHW = _convolutions(model.decoder)[0].weight
    weight_ZCHW[:, :constant] = 0.0
    maps_ZPHW = torch.cat([constant_PHW[None], kernel_KPHW]) / std_P11
    weight_ZCHW[:num_codes, :constant] = _paired(maps_ZPHW, 1)


def _set_log_variance(
    model: FaceAutoEncoder, stage: _Stage, code: _Code, noise_variance: float
) -> None:
    """Make the noise of each latent number the same for all faces."""
    constant, num_codes = 2 * len(stage.std_P), len(code.std_K) + 1
    weight_ZCHW = model.log_variance.weight
    weight_ZCHW.zero_()
    variance_K = (noise_variance / code.std_K.square()).clamp(_MIN_SPREAD**2, 1.0)
    weight_ZCHW[0, constant] = _LOG_VARIANCE_OF_CONSTANT / _NUM_PLACES
    weight_ZCHW[1:num_codes, constant] = variance_K.log()[:, None, None] / _NUM_PLACES


def _set_decoder(model: FaceAutoEncoder, stages: list[_Stage]) -> None:
    """Set all layers except the first, each to the transpose of an encoder layer."""
    _, *convs = _convolutions(model.decoder)
    norms = [layer for layer in model.decoder if isinstance(layer, nn.BatchNorm2d)]
    after = [*stages[-2::-1], None]
    for conv, norm, stage, target in zip(convs, norms, stages[::-1], after, strict=True):
        mean_P = stage.mean_P / stage.std_P
        _set_norm(norm, mean_P, mean_P)
        kernel_PC22 = stage.kernel_PC22 * _column(stage.std_P)
        if target is None:
            kernel_PC22 = _paired(_GAIN * kernel_PC22, 0)
        else:
            kernel_PC22 = kernel_PC22 / target.std_P[:, None, None]
            kernel_PC22 = _paired(_paired(kernel_PC22, 0), 1)
        conv.weight[:, : kernel_PC22.shape[1]] = 0.0
        conv.weight[: len(kernel_PC22), : kernel_PC22.shape[1], 1:3, 1:3] = kernel_PC22
    assert convs[-1].bias is not None
    convs[-1].bias.zero_()


def _set_block(conv: _Convolution, kernel_OC22: Tensor) -> None:
    """Set the first channels of a 4x4 convolution, which use only the 2x2 block in its centre."""
    num_out, num_in = kernel_OC22.shape[:2]
    conv.weight[:num_out] = 0.0
    conv.weight[:num_out, :num_in, 1:3, 1:3] = kernel_OC22


def _set_norm(norm: nn.BatchNorm2d, mean_P: Tensor, bias_P: Tensor) -> None:
    """Set the running means and biases of channel pairs, which have unit variance."""
    assert norm.running_mean is not None
    num_paired = 2 * len(mean_P)
    norm.running_mean[:num_paired] = _paired(mean_P, 0)
    norm.bias[:num_paired] = _paired(bias_P, 0)


def _paired(features: Tensor, dim: int) -> Tensor:
    """Insert the negative of each feature after it, along a dimension."""
    return torch.stack([features, -features], dim + 1).flatten(dim, dim + 1)


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _convolutions(network: nn.Sequential) -> list[_Convolution]:
    return [layer for layer in network if isinstance(layer, _Convolution)]
