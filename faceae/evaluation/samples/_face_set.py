"""What is kept of a set of faces: their features and the power of their fine detail.

Shapes: N faces, C channels, H and W pixels, D features.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.model import to_float

from ._space import FeatureSpace, SpaceName

_BATCH_FACES = 64
_FINE_CYCLES_PER_PIXEL = 0.2
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceSet:
    """A set of faces as their features in a space."""

    space: SpaceName
    features: torch.Tensor
    """N x D float32."""
    fine_power: float
    """Mean power of fine detail; see `fine_power`."""

    def __len__(self) -> int:
        return len(self.features)

    def take(self, count: int, seed: int = 0) -> "FaceSet":
        """Return a random subset of `count` faces, in their order, with the power of all."""
        if count >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))
        features = self.features[torch.from_numpy(rows).to(self.features.device)]
        return FaceSet(space=self.space, features=features, fine_power=self.fine_power)


def describe_faces(batches: Iterable[torch.Tensor], space: FeatureSpace) -> FaceSet:
    """Return the features of all faces of some batches. Memory holds one batch of pixels.

    Args:
        batches: N x 3 x H x W uint8, RGB, of one size.

    Raises:
        FaceaeError: there is no face, or a feature is not finite.
    """
    features, powers = [], []
    for images_NCHW in batches:
        features.append(space.extract(images_NCHW).float())
        powers.append(_fine_powers(images_NCHW))
    if not features:
        raise FaceaeError("there are no faces to measure")
    features_ND = torch.cat(features)
    if not torch.isfinite(features_ND).all():
        raise FaceaeError(
            f"some features in the space {space.name.name} are not finite; check its weights"
        )
    return FaceSet(
        space=space.name, features=features_ND, fine_power=float(torch.cat(powers).mean())
    )


def describe_array(name: str, images: NDArray[np.uint8], space: FeatureSpace) -> FaceSet:
    """Return the features of faces in an array, N x H x W x 3 uint8, RGB.

    Args:
        name: of the parameter that holds the array, for errors.

    Raises:
        FaceaeError: the array has another shape or type, or no faces.
    """
    if images.ndim != 4 or images.shape[3] != 3 or len(images) == 0:
        raise FaceaeError(f"`{name}` must have the shape N x H x W x 3, N > 0, got {images.shape}")
    if images.dtype != np.uint8:
        raise FaceaeError(
            f"`{name}` must hold uint8 pixels, got {images.dtype}; scale to 0 - 255, round and "
            "convert, after a check that all are finite"
        )
    batches = (
        torch.from_numpy(images[start : start + _BATCH_FACES]).permute(0, 3, 1, 2)
        for start in range(0, len(images), _BATCH_FACES)
    )
    return describe_faces(batches, space)


def _fine_powers(images_NCHW: torch.Tensor) -> torch.Tensor:
    """Return the power of the fine detail of each face, N float64.

    The power spectrum of the luminance, less its mean and under a Hann window, summed over
    wavelengths of at most 5 pixels (0.2 cycles per pixel and more, in any direction).
    """
    weights_C = torch.tensor(_LUMINANCE, device=images_NCHW.device)[:, None, None]
    y_NHW = (to_float(images_NCHW) * weights_C).sum(1)
    y_NHW = y_NHW - y_NHW.mean(dim=(1, 2), keepdim=True)
    height, width = y_NHW.shape[1:]
    device = y_NHW.device
    window_HW = torch.outer(
        torch.hann_window(height, periodic=False, device=device),
        torch.hann_window(width, periodic=False, device=device),
    )
    power_NHW = torch.fft.fft2(y_NHW * window_HW).abs().double().square()
    y_H, x_W = (torch.fft.fftfreq(size, device=device) for size in (height, width))
    fine_HW = torch.hypot(y_H[:, None], x_W[None]) >= _FINE_CYCLES_PER_PIXEL
    power_N: torch.Tensor = power_NHW[:, fine_HW].sum(dim=1) / (height * width) ** 2
    return power_N
