"""Where a model's faces lie in its latent space, and how to draw new ones."""

from ._distribution import LatentDistribution
from ._fit import measure_latents
from ._moments import LatentMoments
from ._sampling import Sampler, interpolate, latent_noise

__all__ = [
    "LatentDistribution",
    "LatentMoments",
    "Sampler",
    "interpolate",
    "latent_noise",
    "measure_latents",
]
