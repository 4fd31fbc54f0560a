"""First weights that make the network a principal component analysis of faces.

Shapes: N faces, C channels, H and W pixels, P linear features of a stage, K components, Z latent
size. A stage's block is 2x2 pixels of the map before it, 4 C values.
"""

from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn

from ._network import SLOPE, FaceAutoEncoder
from ._principal import (
    MIN_SPREAD,
    Code,
    Convolution,
    Stage,
    find_code,
    find_stages,
    list_convolutions,
    take_sample,
)

_GAIN = 1.2
"""Gain of the last layer, which compensates most of the saturation of tanh."""
_NUM_PLACES = 16
"""Pixels of the last feature maps, 4x4."""
_LOG_VARIANCE_OF_CONSTANT = -8.0
"""Log-variance of a variational model's constant latent number: nearly no noise, for few nats."""


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
    sample = take_sample(faces)
    stages = find_stages(model, sample)
    if stages is None:
        return 0
    code = find_code(model, stages, chain(sample, faces), noise_variance)
    if code is None:
        return 0
    _set_encoder(model, stages)
    _set_code(model, stages[-1], code)
    if model.config.has_variance:
        _set_log_variance(model, stages[-1], code, noise_variance)
    _set_decoder(model, stages)
    return len(code.std_K)


def _set_encoder(model: FaceAutoEncoder, stages: list[Stage]) -> None:
    """Set all convolutions except the last: features divided by their standard deviations."""
    first, *convs = list_convolutions(model.encoder)[:-1]
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


def _set_code(model: FaceAutoEncoder, stage: Stage, code: Code) -> None:
    """Set the last convolution and the decoder's first."""
    constant, num_codes = 2 * len(stage.std_P), len(code.std_K) + 1
    std_P11, mean_P11 = stage.std_P[:, None, None], stage.mean_P[:, None, None]
    kernel_KPHW = _column(code.encode_K) * code.components_KPHW
    # BatchNorm subtracted the mean over all pixels. The rest of the mean map remains.
    rest_K = (kernel_KPHW * (code.mean_PHW - mean_P11)).flatten(1).sum(dim=1)
    weight_ZCHW = list_convolutions(model.encoder)[-1].weight
    weight_ZCHW[:num_codes] = 0.0
    weight_ZCHW[1:num_codes, :constant] = _paired(kernel_KPHW * std_P11 / (1.0 + SLOPE), 1)
    weight_ZCHW[0, constant] = 1.0 / _NUM_PLACES
    weight_ZCHW[1:num_codes, constant] = (code.shift_K - rest_K)[:, None, None] / _NUM_PLACES

    kernel_KPHW = _column(code.decode_K) * code.components_KPHW
    constant_PHW = code.mean_PHW - (_column(code.shift_K) * kernel_KPHW).sum(dim=0)
    weight_ZCHW = list_convolutions(model.decoder)[0].weight
    weight_ZCHW[:, :constant] = 0.0
    maps_ZPHW = torch.cat([constant_PHW[None], kernel_KPHW]) / std_P11
    weight_ZCHW[:num_codes, :constant] = _paired(maps_ZPHW, 1)


def _set_log_variance(
    model: FaceAutoEncoder, stage: Stage, code: Code, noise_variance: float
) -> None:
    """Make the noise of each latent number the same for all faces."""
    constant, num_codes = 2 * len(stage.std_P), len(code.std_K) + 1
    weight_ZCHW = model.log_variance.weight
    weight_ZCHW.zero_()
    variance_K = (noise_variance / code.std_K.square()).clamp(MIN_SPREAD**2, 1.0)
    weight_ZCHW[0, constant] = _LOG_VARIANCE_OF_CONSTANT / _NUM_PLACES
    weight_ZCHW[1:num_codes, constant] = variance_K.log()[:, None, None] / _NUM_PLACES


def _set_decoder(model: FaceAutoEncoder, stages: list[Stage]) -> None:
    """Set all layers except the first, each to the transpose of an encoder layer."""
    _, *convs = list_convolutions(model.decoder)
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


def _set_block(conv: Convolution, kernel_OC22: Tensor) -> None:
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
