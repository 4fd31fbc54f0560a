"""Priors: distributions of a model's latents. Fits them, stores them, and draws new latents."""

from ._drift import FAR_SHARE, Drift, LatentReference, root_mean_square
from ._file import load_prior, save_prior
from ._fit import FittedLatents, fit_latents, measure_latents
from ._fit_flow import FlowConfig, fit_flow
from ._fit_mixture import fit_mixture
from ._flow import FlowPrior
from ._interpolation import Interpolation, interpolate, interpolate_square
from ._mixture import MixturePrior
from ._moments import LatentMoments
from ._normal import NormalPrior, NormalSampler
from ._pairs import PairsPrior, fit_pairs
from ._prior import Prior, PriorKind, Sampler
from ._sampling import latent_noise

__all__ = [
    "FAR_SHARE",
    "Drift",
    "FittedLatents",
    "FlowConfig",
    "FlowPrior",
    "Interpolation",
    "LatentMoments",
    "LatentReference",
    "MixturePrior",
    "NormalPrior",
    "NormalSampler",
    "PairsPrior",
    "Prior",
    "PriorKind",
    "Sampler",
    "fit_flow",
    "fit_latents",
    "fit_mixture",
    "fit_pairs",
    "interpolate",
    "interpolate_square",
    "latent_noise",
    "load_prior",
    "measure_latents",
    "root_mean_square",
    "save_prior",
]
