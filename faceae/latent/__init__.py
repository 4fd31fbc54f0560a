"""Priors: distributions of a model's latents. Fits them, stores them, and draws new latents."""

from ._file import load_prior, save_prior
from ._fit import FittedLatents, fit_latents, measure_latents
from ._fit_flow import FlowConfig, fit_flow
from ._fit_mixture import fit_mixture
from ._flow import FlowPrior
from ._mixture import MixturePrior
from ._moments import LatentMoments
from ._normal import NormalPrior, NormalSampler
from ._prior import Prior, PriorKind, Sampler
from ._sampling import interpolate, latent_noise

__all__ = [
    "FittedLatents",
    "FlowConfig",
    "FlowPrior",
    "LatentMoments",
    "MixturePrior",
    "NormalPrior",
    "NormalSampler",
    "Prior",
    "PriorKind",
    "Sampler",
    "fit_flow",
    "fit_latents",
    "fit_mixture",
    "interpolate",
    "latent_noise",
    "load_prior",
    "measure_latents",
    "save_prior",
]
