"""Between stored pixels and what the network sees."""

import torch


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 pixels to float32 in [-1, 1], in any shape; memory layout and device stay."""
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Map floats in [-1, 1] to the nearest uint8 pixel, in any shape; layout and device stay.

    What lies outside is clamped. `to_uint8(to_float(x))` is `x`.
    """
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0.0, 255.0).to(torch.uint8)
