"""The distribution of a model's latents: fitting it, and drawing new latents from it."""

from ._distribution import LatentDistribution
from ._fit import FittedLatents, fit_latents, measure_latents
from ._moments import LatentMoments
from ._sampling import Sampler, interpolate, latent_noise

__all__ = [
    "FittedLatents",
    "LatentDistribution",
    "LatentMoments",
    "Sampler",
    "fit_latents",
    "interpolate",
    "latent_noise",
    "measure_latents",
]
