"""Feature spaces without any trained weights, as candidates to rank sets of pictures."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.shared.faulty_sets import Images, batches_of
from faceae.evaluation import fit_pca
from faceae.evaluation.samples import (
    FeatureSpace,
    SpaceName,
    TextureSpace,
)
from faceae.model import to_float

NUM_FEATURES = 64
Measure = Callable[[torch.Tensor], torch.Tensor]
"""From faces, N x 3 x 64 x 64 float32 in [-1, 1], to statistics, N x S."""


class StandardisedSpace:
    """Statistics standardised by photographs, and projected to 64 features."""

    def __init__(self, name: str, measure: Measure, photographs: Images) -> None:
        self._measure = measure
        with torch.inference_mode():
            known = torch.cat([measure(to_float(batch)) for batch in batches_of(photographs)])
        self._mean, self._deviation = known.mean(dim=0), known.std(dim=0) + 1e-6
        numbers = np.random.RandomState(0).standard_normal((known.shape[1], NUM_FEATURES))
        self._projection = torch.from_numpy(numbers / np.sqrt(known.shape[1])).float()
        self.name = SpaceName(name=name, version="1", size=NUM_FEATURES)

    @torch.inference_mode()
    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of faces, N x 64."""
        statistics = self._measure(to_float(images))
        return (statistics - self._mean) / self._deviation @ self._projection


def coarse_pixels(x: torch.Tensor) -> torch.Tensor:
    """Mean colours of 16x16 cells."""
    return F.adaptive_avg_pool2d(x, 16).flatten(1)


def whitened_pixels(photographs: Images) -> Measure:
    """All pixels in the basis of 256 principal components."""
    faces = torch.from_numpy(photographs).permute(0, 3, 1, 2).contiguous()
    pca = fit_pca(faces, 256)
    return lambda x: (x.flatten(1) - pca.mean) @ pca.components


def random_network(depth: int, *, every_layer: bool) -> Measure:
    """Convolutions of 3x3 with random weights, ReLU and pooling, averaged in a grid of 2x2."""
    random = np.random.RandomState(0)
    weights, channels = [], 3
    for layer in range(depth):
        size = (32 * 2 ** min(layer, 2), channels, 3, 3)
        numbers = random.standard_normal(size) * np.sqrt(2 / (9 * channels))
        weights.append(torch.from_numpy(numbers).float())
        channels = size[0]

    def measure(x: torch.Tensor) -> torch.Tensor:
        layers = []
        for weight in weights:
            x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight))
            layers.append(F.adaptive_avg_pool2d(x, 2).flatten(1))
            x = F.avg_pool2d(x, 2)
        return torch.cat(layers if every_layer else layers[-1:], dim=1)

    return measure


def laplacian_patches(x: torch.Tensor) -> torch.Tensor:
    """Sorted random projections of patches of a Laplacian pyramid, as quantiles of each level.

    The sliced Wasserstein distance of Karras et al. (2018), with one face as a set of patches.
    """
    random = np.random.RandomState(0)
    quantiles = torch.linspace(0.05, 0.95, 9)
    levels = []
    for _ in range(3):
        small = F.avg_pool2d(x, 2)
        detail = x - F.interpolate(small, scale_factor=2, mode="bilinear")
        filters = torch.from_numpy(random.standard_normal((16, 3, 7, 7))).float() / np.sqrt(147)
        answers = F.conv2d(detail, filters).flatten(2)
        levels.append(answers.quantile(quantiles, dim=2).permute(1, 0, 2).flatten(1))
        x = small
    return torch.cat(levels, dim=1)


def texture_groups(*groups: int) -> Measure:
    """Some groups of the statistics of the built-in space."""
    space = TextureSpace()
    sizes = (48, 96, 96, 96, 144, 144)

    def measure(x: torch.Tensor) -> torch.Tensor:
        parts = space.statistics(x).split(sizes, dim=1)
        return torch.cat([parts[group] for group in groups], dim=1)

    return measure


def candidates(photographs: Images) -> Iterator[FeatureSpace]:
    """Yield every space of the comparison."""
    measures: dict[str, Measure] = {
        "pixels, 16x16": coarse_pixels,
        "pixels, 256 components": whitened_pixels(photographs),
        "random network, 2 layers": random_network(2, every_layer=False),
        "random network, 4 layers": random_network(4, every_layer=False),
        "random network, all of 4 layers": random_network(4, every_layer=True),
        "Laplacian patches": laplacian_patches,
        "scattering, first layer": texture_groups(1, 2, 3),
        "scattering, second layer": texture_groups(4, 5),
        "scattering, both layers and colours": texture_groups(0, 1, 2, 3, 4, 5),
    }
    for name, measure in measures.items():
        yield StandardisedSpace(name, measure, photographs)
    for size in (32, 128, 256):
        yield TextureSpace(size)
    yield TextureSpace()
