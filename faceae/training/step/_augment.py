"""Random changes of what a discriminator sees, so that it cannot learn photographs by heart.

Shapes: N faces, G faces that are changed alike, C channels, H and W pixels.
"""

import torch
from torch.nn import functional

_SHIFT = 0.1
"""Largest shift, as a share of the side."""
_HOLE = 0.5
"""Side of the square that is cut out, as a share of the side."""
_COLOUR = 0.1
"""Largest relative change of saturation; twice that of contrast, and twice that of brightness."""


def augment(images_NCHW: torch.Tensor) -> torch.Tensor:
    """Change colours, shift, and cut a hole into every second face; gradients pass through.

    The differentiable augmentation of Zhao, Liu, Lin, Zhu and Han (2020), with weaker colours and
    half as many holes: at the strength of the paper, a discriminator of faces learns too slowly.

    Args:
        images_NCHW: N x 3G x H x W float in [-1, 1]: G faces that get the same changes. The result
            may exceed this range a little.
    """
    return _cut_out(_shift(_change_colours(images_NCHW)))


def _change_colours(x_NCHW: torch.Tensor) -> torch.Tensor:
    brightness, saturation, contrast = (
        _COLOUR * (2.0 * _random(x_NCHW) - 1.0).view(-1, 1, 1, 1, 1) for _ in range(3)
    )
    num_faces, _, height, width = x_NCHW.shape
    x_NGCHW = x_NCHW.reshape(num_faces, -1, 3, height, width) + 0.5 * brightness
    grey_NG1HW = x_NGCHW.mean(2, keepdim=True)
    x_NGCHW = grey_NG1HW + (x_NGCHW - grey_NG1HW) * (1.0 + saturation)
    mean_NG111 = x_NGCHW.mean((2, 3, 4), keepdim=True)
    x_NGCHW = mean_NG111 + (x_NGCHW - mean_NG111) * (1.0 + 0.5 * contrast)
    return x_NGCHW.flatten(1, 2)


def _shift(x_NCHW: torch.Tensor) -> torch.Tensor:
    """Shift by whole pixels; what is shifted in is black."""
    size = x_NCHW.shape[2]
    most = max(round(_SHIFT * size), 1)
    padded_NCHW = functional.pad(x_NCHW, (1, 1, 1, 1))
    rows_NH, columns_NW = (
        (_places(x_NCHW)[None] + _whole(x_NCHW, -most, most)[:, None] + 1).clamp(0, size + 1)
        for _ in range(2)
    )
    faces_N11 = torch.arange(len(x_NCHW), device=x_NCHW.device)[:, None, None]
    # Indexed with the channels last, the result is channels-last, too.
    x_NHWC = padded_NCHW.permute(0, 2, 3, 1)[faces_N11, rows_NH[:, :, None], columns_NW[:, None]]
    return x_NHWC.permute(0, 3, 1, 2)


def _cut_out(x_NCHW: torch.Tensor) -> torch.Tensor:
    """Set a square at a random place of every second face, on average, to 0."""
    size = x_NCHW.shape[2]
    inside_NH, inside_NW = (
        (_places(x_NCHW)[None] - _whole(x_NCHW, 0, size)[:, None]).abs() < _HOLE * size / 2
        for _ in range(2)
    )
    chosen_N11 = (_random(x_NCHW) < 0.5)[:, None, None]
    hole_NHW = inside_NH[:, :, None] & inside_NW[:, None] & chosen_N11
    return x_NCHW * ~hole_NHW[:, None]


def _random(x_NCHW: torch.Tensor) -> torch.Tensor:
    return torch.rand(len(x_NCHW), device=x_NCHW.device)


def _whole(x_NCHW: torch.Tensor, low: int, high: int) -> torch.Tensor:
    return torch.randint(low, high + 1, (len(x_NCHW),), device=x_NCHW.device)


def _places(x_NCHW: torch.Tensor) -> torch.Tensor:
    return torch.arange(x_NCHW.shape[2], device=x_NCHW.device)
