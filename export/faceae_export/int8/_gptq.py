"""Weights rounded so that what their layer computes changes least, before they become integers.

Shapes: C channels out, D weights of one of them, M places that the kernel was at, M x D.

Rounding each weight to the nearest step is best only where the numbers it meets have nothing to do
with each other. Those of a picture do: neighbours in a map are alike, and so are many channels. So
weights are rounded one after another, and what the sum lost by one is made up for by those that
still can move. This is GPTQ (Frantar, Ashkboos, Hoefler and Alistarh, ICLR 2023), a fast form of
Hassibi and Stork's "Optimal Brain Surgeon" (1993).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 64
"""The largest whole number of a weight; ONNX Runtime's quantiser takes -64 to 64 for 7 bits."""
_MAX_PLACES = 2**14
_MAX_UNFOLDED = 2**19
"""Places laid out at once; large pictures have so many that fewer faces must do."""
_DAMPING = 0.03
"""Added to the diagonal, as a share of its mean: few faces tell little of rare directions."""
_BLOCK = 128


@torch.inference_mode()
def apply_gptq(decoder: nn.Sequential, z_NZ: Tensor) -> None:
    """Round the weights of a decoder's convolutions, in place, for latents like `z_NZ`.

    The largest weight of a channel keeps its value, so that whoever takes a step of its 64th part
    finds the others on whole steps.

    Args:
        decoder: as `smooth_network` returns it. Its matrix product stays: latents of faces are
            hardly correlated, and there are too few here to tell.
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
        places_MD = _take_places(conv, seen[conv])
        moments_DD = (places_MD.T @ places_MD / len(places_MD)).double()
        rounded_CD = _round(conv.weight.flatten(1).double(), moments_DD)
        conv.weight.copy_(rounded_CD.reshape(conv.weight.shape))


def _keep(seen: dict[nn.Module, Tensor], conv: nn.Module, args: tuple[Tensor]) -> None:
    (seen[conv],) = args


def _take_places(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    """Return what a convolution's kernel sees, evenly from all faces and places."""
    assert not isinstance(conv.padding, str)
    num_places = len(maps) * maps.shape[2] * maps.shape[3]
    maps = maps[:: -(-num_places // _MAX_UNFOLDED)]
    places_NDM = functional.unfold(maps, conv.kernel_size, padding=conv.padding)
    places_MD = places_NDM.transpose(1, 2).flatten(0, 1)
    # At random: a stride could meet the same rows and columns of every face.
    order = torch.randperm(len(places_MD), generator=torch.Generator().manual_seed(0))
    return places_MD[order[:_MAX_PLACES]]


def _round(weight_CD: Tensor, moments_DD: Tensor) -> Tensor:
    """Return the weights in steps, given the second moments of what they meet."""
    largest_C1 = weight_CD.abs().amax(1, keepdim=True)
    step_C1 = torch.where(largest_C1 > 0, largest_C1 / _LEVELS, 1.0)
    power_D = moments_DD.diagonal()
    # Those that matter most first: they find the most others to make up for them.
    order = power_D.argsort(descending=True)
    power = power_D.mean().clamp_min(torch.finfo(torch.float32).tiny)
    damped_DD = moments_DD[order][:, order] + _DAMPING * power * torch.eye(len(order))
    inverse_DD = torch.cholesky_inverse(torch.linalg.cholesky(damped_DD))
    spread_DD = torch.linalg.cholesky(inverse_DD, upper=True)

    left_CD = weight_CD[:, order]
    fixed_CD = left_CD.abs() == largest_C1
    rounded_CD = torch.empty_like(left_CD)
    for start in range(0, len(order), _BLOCK):
        block = slice(start, start + _BLOCK)
        lost_CD = torch.empty_like(left_CD[:, block])
        for number in range(start, start + lost_CD.shape[1]):
            now_C1 = left_CD[:, number : number + 1]
            whole_C1 = (now_C1 / step_C1).round().clamp(-_LEVELS, _LEVELS) * step_C1
            kept_C1 = weight_CD[:, order[number], None]
            whole_C1 = torch.where(fixed_CD[:, number : number + 1], kept_C1, whole_C1)
            rounded_CD[:, number : number + 1] = whole_C1
            lost_C1 = (now_C1 - whole_C1) / spread_DD[number, number]
            later = slice(number + 1, block.stop)
            left_CD[:, later] -= lost_C1 * spread_DD[number : number + 1, later]
            lost_CD[:, number - start : number - start + 1] = lost_C1
        left_CD[:, block.stop :] -= lost_CD @ spread_DD[block, block.stop :]
    result_CD = torch.empty_like(rounded_CD)
    result_CD[:, order] = rounded_CD
    return result_CD
