"""The built-in feature space: coarse colours, and log energies of a two-layer scattering.

Shapes: N faces, L orientations, H and W pixels, D features.

Chosen by benchmarks/feature_space.py. It is a scattering transform (Bruna and Mallat, 2013) in
local filters. The second layer measures how the energy of edges is arranged in space. That
separates photographs from noise of the same spectrum, which no second-order statistic does.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from faceae.device import full_float32
from faceae.model import to_float

from ._space import SpaceName

_SIZE_PIXELS = 64
_NUM_FEATURES = 64
_NUM_ORIENTATIONS = 6
_FILTER_PIXELS = 7
_CYCLES_PER_PIXEL = 0.25
_SIGMA_PIXELS = 1.6
_ELONGATION = 0.6
_FLOOR = 0.1
"""Added to energies before the logarithm; about five times the noise of an 8-bit JPEG."""

_GRID = 4
_COARSE_GRID = 2
_LUMINANCE = (0.299, 0.587, 0.114)

_GROUPS = (
    (48, -0.14, 0.32, 0.7),  # colours
    (96, -1.46, 0.27, 0.4),  # energies at 64, 32 and 16 pixels
    (96, -1.21, 0.33, 0.4),
    (96, -1.01, 0.37, 0.7),
    (144, -0.15, 0.11, 1.4),  # arrangement of the energies at 64 and 32 pixels
    (144, -0.20, 0.17, 1.0),
)
"""Size of each group of statistics, its mean and standard deviation on photographs of faces, and
its weight. The trials of benchmarks/feature_space.py chose the weights."""


class TextureSpace:
    """64 features of a face, computed without any trained weights.

    Larger or smaller faces are scaled to 64x64. The statistics of a face are:

    - the mean colour in each cell of a grid of 4x4;
    - at 64, 32 and 16 pixels, the log of the mean modulus of six Gabor filters on the luminance in
      each cell of that grid;
    - at 64 and 32 pixels, the log of the mean modulus of the same six filters applied to each
      modulus at half the size, relative to the mean of that modulus, in a grid of 2x2.

    Each group of statistics is centred and scaled by constants, and a random matrix with a fixed
    seed projects all 624 to 64 features, each of which has a variance of about 1 on photographs.
    """

    def __init__(self, size: int = _NUM_FEATURES) -> None:
        self.name = SpaceName(name="textures", version="1", size=size)
        self._filters = _gabor_filters()
        self._offset, scale = _normalisation()
        self._projection = scale[:, None] * _projection(len(scale), size)

    @torch.inference_mode()
    @full_float32()
    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of faces, N x D float32; see `FeatureSpace`."""
        device = images.device
        return (self.statistics(to_float(images)) - self._offset.to(device)) @ self._projection.to(
            device
        )

    def statistics(self, images: torch.Tensor) -> torch.Tensor:
        """Return the 624 statistics of faces before the projection, N x 624 float32.

        Args:
            images: N x 3 x H x W float32 in [-1, 1], RGB.
        """
        x_NCHW = _fit(images)
        weights_C = x_NCHW.new_tensor(_LUMINANCE)[:, None, None]
        y_N1HW = (x_NCHW * weights_C).sum(1, keepdim=True)
        half_N1HW = F.avg_pool2d(y_N1HW, 2)
        energies = [self._modulus(y) for y in (y_N1HW, half_N1HW, F.avg_pool2d(half_N1HW, 2))]
        groups = [F.adaptive_avg_pool2d(x_NCHW, _GRID)]
        groups += [(F.adaptive_avg_pool2d(u, _GRID) + _FLOOR).log() for u in energies]
        groups += [self._arrangement(u) for u in energies[:2]]
        return torch.cat([group.flatten(1) for group in groups], dim=1)

    def _modulus(self, y_N1HW: torch.Tensor) -> torch.Tensor:
        """Return N x L x H x W from N x 1 x H x W."""
        padding = _FILTER_PIXELS // 2
        padded = F.pad(y_N1HW, (padding,) * 4, mode="reflect")
        parts = F.conv2d(padded, self._filters.to(y_N1HW.device))
        real_NLHW, imaginary_NLHW = parts.chunk(2, dim=1)
        return (real_NLHW.square() + imaginary_NLHW.square() + 1e-8).sqrt()

    def _arrangement(self, u_NLHW: torch.Tensor) -> torch.Tensor:
        """Return N x L^2 x 2 x 2."""
        half = F.avg_pool2d(u_NLHW, 2)
        second = self._modulus(half.flatten(0, 1)[:, None])
        second = second.reshape(len(half), -1, *half.shape[2:])
        second = F.adaptive_avg_pool2d(second, _COARSE_GRID)
        first = F.adaptive_avg_pool2d(u_NLHW, _COARSE_GRID)
        first = first.repeat_interleave(_NUM_ORIENTATIONS, dim=1)
        return ((second + _FLOOR) / (first + _FLOOR)).log()


def _fit(x_NCHW: torch.Tensor) -> torch.Tensor:
    size = (_SIZE_PIXELS, _SIZE_PIXELS)
    if tuple(x_NCHW.shape[2:]) == size:
        return x_NCHW
    return F.interpolate(x_NCHW, size=size, mode="bilinear", antialias=True)


def _gabor_filters() -> torch.Tensor:
    """Return the real parts of the filters, then the imaginary ones: 2L x 1 x 7 x 7."""
    reach = _FILTER_PIXELS // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    real, imaginary = [], []
    for angle in np.arange(_NUM_ORIENTATIONS) * (math.pi / _NUM_ORIENTATIONS):
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        window = np.exp(-(along**2 + _ELONGATION * across**2) / (2 * _SIGMA_PIXELS**2))
        wave = window * np.exp(2j * math.pi * _CYCLES_PER_PIXEL * along)
        wave -= window * (wave.real.sum() / window.sum())  # blind to brightness
        wave /= np.sqrt((np.abs(wave) ** 2).sum())
        real.append(wave.real)
        imaginary.append(wave.imag)
    return torch.from_numpy(np.stack(real + imaginary)[:, None]).float()


def _normalisation() -> tuple[torch.Tensor, torch.Tensor]:
    """Return what to subtract from each statistic, and the factor to multiply it by."""
    total = math.sqrt(sum(weight**2 for *_, weight in _GROUPS))
    offsets = [np.full(size, mean) for size, mean, *_ in _GROUPS]
    scales = [
        np.full(size, weight / (total * deviation * math.sqrt(size)))
        for size, _, deviation, weight in _GROUPS
    ]
    offset, scale = (torch.from_numpy(np.concatenate(part)).float() for part in (offsets, scales))
    return offset, scale


def _projection(rows: int, columns: int) -> torch.Tensor:
    # NumPy guarantees that this generator's numbers never change.
    numbers = np.random.RandomState(0).standard_normal((rows, columns))
    return torch.from_numpy(numbers).float()
