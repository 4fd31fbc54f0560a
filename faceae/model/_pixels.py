"""Conversion between stored pixels and the network's values, and the PSNR of these values."""

import math

import torch

from faceae.errors import FaceaeError

_PEAK_SQUARED = 4.0
"""Square of the largest possible error of a value in [-1, 1]."""


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 pixels to float32 in [-1, 1]. Shape, memory layout and device are kept."""
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Map floats in [-1, 1] to the nearest uint8 pixel. Shape, layout and device are kept.

    Values outside are clamped. `to_uint8(to_float(x))` equals `x`.
    """
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0.0, 255.0).to(torch.uint8)


def psnr_db(mean_squared_error: float) -> float:
    """Return the PSNR of values in [-1, 1], in decibels; infinite for an error of 0.

    Raises:
        FaceaeError: the error is not finite.
    """
    if not math.isfinite(mean_squared_error):
        raise FaceaeError("the model returns numbers that are not finite")
    if mean_squared_error == 0.0:
        return math.inf
    return 10.0 * math.log10(_PEAK_SQUARED / mean_squared_error)
