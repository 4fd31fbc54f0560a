"""GPTQ: round weights to the steps of int8 so that the output of their layer changes least.

Shapes: C output channels, D weights per output channel, M patches of D inputs.

Rounding each weight to the nearest step is best only if the inputs are uncorrelated. The inputs of
a convolution are correlated: neighbouring pixels are alike, and so are many channels. So GPTQ
rounds the weights one after another, and adjusts the remaining weights to compensate for the error
of each. See Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ" (ICLR 2023), a fast form of Hassibi and
Stork's "Optimal Brain Surgeon" (1993).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 64
"""Largest integer of a weight; ONNX Runtime's quantiser uses -64 to 64 for 7 bits."""
_MAX_PATCHES = 2**14
"""Patches that the second moments are computed from."""
_MAX_UNFOLDED = 2**19
"""Patches unfolded at once. A large picture has so many patches that only some faces are used."""
_DAMPING = 0.03
"""Share of the mean diagonal of the second moments that is added to the diagonal. A few faces
estimate rare directions badly."""
_BLOCK = 128


@torch.inference_mode()
def apply_gptq(decoder: nn.Sequential, z_NZ: Tensor) -> None:
    """Round the weights of a decoder's convolutions in place.

    The largest weight of an output channel keeps its value. A quantiser whose step is 1/64 of it
    finds all other weights on whole steps.

    Args:
        decoder: the decoder of a network from `smooth_network`. Its matrix product is not rounded:
            latents of faces are hardly correlated.
        z_NZ: latents, N x Z float32, that the decoder will typically see.
    """
    convs = [conv for conv in decoder.modules() if isinstance(conv, nn.Conv2d)]
    seen: dict[nn.Module, Tensor] = {}
    hooks = [conv.register_forward_pre_hook(partial(_keep, seen)) for conv in convs]
    try:
        decoder(z_NZ[:, :, None, None])
    finally:
        for hook in hooks:
            hook.remove()
    for conv in convs:
        patches_MD = _sample_patches(conv, seen[conv])
        moments_DD = (patches_MD.T @ patches_MD / len(patches_MD)).double()
        rounded_CD = _round(conv.weight.flatten(1).double(), moments_DD)
        conv.weight.copy_(rounded_CD.reshape(conv.weight.shape))


def _keep(seen: dict[nn.Module, Tensor], conv: nn.Module, args: tuple[Tensor]) -> None:
    (seen[conv],) = args


def _sample_patches(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    """Return random patches, M x D, of the inputs of a convolution."""
    assert not isinstance(conv.padding, str)
    num_patches = len(maps) * maps.shape[2] * maps.shape[3]
    maps = maps[:: -(-num_patches // _MAX_UNFOLDED)]
    patches_NDM = functional.unfold(maps, conv.kernel_size, padding=conv.padding)
    patches_MD = patches_NDM.transpose(1, 2).flatten(0, 1)
    # A regular stride could select the same rows and columns of every face.
    order = torch.randperm(len(patches_MD), generator=torch.Generator().manual_seed(0))
    return patches_MD[order[:_MAX_PATCHES]]


def _round(weight_CD: Tensor, moments_DD: Tensor) -> Tensor:
    """Return the weights on whole steps, given the second moments of their inputs."""
    largest_C1 = weight_CD.abs().amax(1, keepdim=True)
    step_C1 = torch.where(largest_C1 > 0, largest_C1 / _LEVELS, 1.0)
    power_D = moments_DD.diagonal()
    # The weights with the largest inputs first: the most others can compensate for their error.
    order = power_D.argsort(descending=True)
    spread_DD = _factorise(moments_DD[order][:, order], power_D.mean())
    fixed_CD = weight_CD[:, order].abs() == largest_C1
    result_CD = torch.empty_like(weight_CD)
    result_CD[:, order] = _round_in_order(weight_CD[:, order], fixed_CD, step_C1, spread_DD)
    return result_CD


def _factorise(moments_DD: Tensor, power: Tensor) -> Tensor:
    """Return the upper Cholesky factor of the inverse of the damped second moments."""
    power = power.clamp_min(torch.finfo(torch.float32).tiny)
    damped_DD = moments_DD + _DAMPING * power * torch.eye(len(moments_DD))
    inverse_DD = torch.cholesky_inverse(torch.linalg.cholesky(damped_DD))
    factor_DD: Tensor = torch.linalg.cholesky(inverse_DD, upper=True)
    return factor_DD


def _round_in_order(
    weight_CD: Tensor, fixed_CD: Tensor, step_C1: Tensor, spread_DD: Tensor
) -> Tensor:
    """Round one weight of every channel after another.

    After each, the weights that follow are adjusted to compensate for its error: those of the same
    block at once, the others at the end of the block.

    Args:
        fixed_CD: weights that keep their value.
        spread_DD: the factor from `_factorise`.
    """
    adjusted_CD = weight_CD.clone()
    rounded_CD = torch.empty_like(weight_CD)
    for start in range(0, weight_CD.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        error_CD = torch.empty_like(adjusted_CD[:, block])
        for number in range(start, start + error_CD.shape[1]):
            one, later = slice(number, number + 1), slice(number + 1, block.stop)
            whole_C1 = (adjusted_CD[:, one] / step_C1).round().clamp(-_LEVELS, _LEVELS) * step_C1
            rounded_CD[:, one] = torch.where(fixed_CD[:, one], weight_CD[:, one], whole_C1)
            error_C1 = (adjusted_CD[:, one] - rounded_CD[:, one]) / spread_DD[number, number]
            adjusted_CD[:, later] -= error_C1 * spread_DD[one, later]
            error_CD[:, number - start, None] = error_C1
        adjusted_CD[:, block.stop :] -= error_CD @ spread_DD[block, block.stop :]
    return rounded_CD
