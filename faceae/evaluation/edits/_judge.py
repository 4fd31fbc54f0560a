"""A small convolutional network that recognises attributes from pixels.

Shapes: N faces, C channels, H and W pixels, K attributes.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from faceae.device import full_float32
from faceae.model import to_float

_SIZE_PIXELS = 64
_WIDTHS = (16, 32, 48, 64)
_BATCH = 64
_PEAK_LR = 3e-3
_WEIGHT_DECAY = 0.05
_MAX_WEIGHT = 20.0
"""A rare class weighs at most this many times the mean."""

OnSteps = Callable[[int, int], None]
"""Receives the number of faces seen, and of all faces to see."""


class Judge:
    """Recognises attributes in faces of any size. A score above 0 means yes."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device

    @torch.inference_mode()
    @full_float32()
    def score(self, images: torch.Tensor) -> NDArray[np.float64]:
        """Return the scores of faces, N x 3 x H x W uint8, as N x K."""
        parts = [
            self._network(_prepare(part.to(self._device))).double().cpu().numpy()
            for part in images.split(_BATCH)  # type: ignore[no-untyped-call]
        ]
        return np.concatenate(parts)


def train_judge(
    images: torch.Tensor,
    labels: NDArray[np.int8],
    *,
    steps: int,
    device: torch.device,
    on_steps: OnSteps = lambda done, total: None,
) -> Judge:
    """Train a judge of K attributes.

    Both classes of an attribute weigh the same. Faces are mirrored at random. Torch's global random
    state is restored.

    Args:
        images: N x 3 x H x W uint8.
        labels: N x K: 1 yes, -1 no, 0 unknown.
        steps: of 64 faces.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        network = _make_network(labels.shape[1]).to(device)
        _train(network, images, labels, steps, device, on_steps)
    return Judge(network, device)


def _train(
    network: nn.Module,
    images: torch.Tensor,
    labels: NDArray[np.int8],
    steps: int,
    device: torch.device,
    on_steps: OnSteps,
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK_LR, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_LR, total_steps=steps)
    weights_NK = torch.from_numpy(_balance(labels))
    signs_NK = torch.from_numpy(labels).float()
    random = np.random.default_rng(0)
    for step in range(steps):
        rows = torch.from_numpy(random.choice(len(images), min(_BATCH, len(images)), replace=False))
        batch_NCHW = _prepare(images[rows].to(device))
        mirrored = torch.from_numpy(random.random(len(rows)) < 0.5).to(device)
        batch_NCHW = torch.where(mirrored[:, None, None, None], batch_NCHW.flip(3), batch_NCHW)
        margins_NK = network(batch_NCHW) * signs_NK[rows].to(device)
        loss = (weights_NK[rows].to(device) * F.softplus(-margins_NK)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        on_steps((step + 1) * _BATCH, steps * _BATCH)


def _balance(labels: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return weights, N x K: of equal sum for both classes, 1 on average, 0 where unknown."""
    weights_NK = np.zeros(labels.shape, np.float32)
    for sign in (1, -1):
        members_NK = labels == sign
        counts_K = np.maximum(members_NK.sum(axis=0), 1)
        weights_NK += members_NK * np.minimum(len(labels) / (2 * counts_K), _MAX_WEIGHT)
    return weights_NK


def _make_network(num_attributes: int) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for width in _WIDTHS:
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels = width
    side = _SIZE_PIXELS // 2 ** len(_WIDTHS)
    layers += [nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * side**2, num_attributes)]
    network = nn.Sequential(*layers)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _prepare(images: torch.Tensor) -> torch.Tensor:
    """Return faces as the network sees them, N x 3 x 64 x 64 float32 in [-1, 1]."""
    x_NCHW = to_float(images)
    size = (_SIZE_PIXELS, _SIZE_PIXELS)
    if tuple(x_NCHW.shape[2:]) == size:
        return x_NCHW.contiguous(memory_format=torch.channels_last)
    return F.interpolate(x_NCHW, size=size, mode="bilinear", antialias=True)
