"""Fits a Gaussian mixture, and chooses its size by the likelihood of held-out faces.

Shapes: N faces, Z latent size, D leading directions, C components. All numbers are float64.

Expectation-maximisation finds the most probable mixture under an inverse-Wishart prior on each
covariance (Fraley and Raftery, 2007, "Bayesian regularization for normal mixture estimation and
model-based clustering"). The prior counts as some faces whose covariance is that of all faces, so
that a component of few faces keeps a sound covariance.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from ._held_out import OnProgress, check_latents, hold_out
from ._mixture import MixturePrior
from ._normal import NormalPrior
from ._principal import MAX_LEADING, find_directions

_LADDER = (1, 2, 4, 8, 16, 32)
"""Numbers of components to try, until held-out faces are less likely than by the one before."""
_MIN_FACES_PER_COMPONENT = 32
_STRENGTH = 2.0
"""Faces that the prior on covariances counts as, over D, while the components are chosen."""
_OTHER_STRENGTHS = (0.5, 8.0)
"""Strengths to try after that."""
_MAX_FACES_TO_CHOOSE_BY = 20_000
"""Faces that the mixtures to choose from are fitted on, so that choosing takes minutes at most."""
_MAX_ROUNDS = 30
_MIN_GAIN_NATS = 0.1
"""Expectation-maximisation ends when a round gains less than this per face."""
_MEANS_ROUNDS = 10
_MEANS_DIRECTIONS = 16
"""Leading directions that faces are first grouped in. In many, all faces are equally far apart."""


def fit_mixture(
    latents_NZ: NDArray[np.float32],
    normal: NormalPrior,
    on_progress: OnProgress = lambda done, total: None,
) -> MixturePrior:
    """Fit a Gaussian mixture on the leading principal directions of latents.

    A tenth of the faces, taken by a fixed seed, is held out to choose the number of components
    and the strength of the prior on covariances. Then the mixture is fitted on all faces. The
    same latents always give the same mixture.

    Args:
        normal: mean and covariance of `latents_NZ`, and their origin.
        on_progress: see `OnProgress`. Every mixture that is tried sees the faces again.

    Raises:
        FaceaeError: too few faces, a latent size of 1, or all latents are equal.
    """
    check_latents("gmm", latents_NZ, normal)
    directions = find_directions(normal, min(MAX_LEADING, normal.mean.size - 1))
    x_ND = torch.from_numpy(directions.whiten(latents_NZ))
    choice, gain_nats = _choose(x_ND, on_progress)
    mixture = _fit(x_ND, choice)
    return MixturePrior(
        mean=directions.mean.astype(np.float32),
        basis=directions.basis[:-1].astype(np.float32),
        bounds=torch.special.ndtri(mixture.weights_C.cumsum(0)[:-1]).float().numpy(),
        shifts=mixture.means_CD.float().numpy(),
        factors=mixture.factors_CDD.float().numpy(),
        gain_nats=gain_nats,
        count=normal.count,
        weights_hash=normal.weights_hash,
        dataset_hash=normal.dataset_hash,
    )


@dataclass(frozen=True, kw_only=True)
class _Choice:
    num_components: int
    strength: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Mixture:
    weights_C: Tensor
    means_CD: Tensor
    factors_CDD: Tensor

    def log_densities(self, x_ND: Tensor) -> Tensor:
        """Return the logarithm of each component's weight times its density, N x C."""
        columns = []
        for weight, mean_D, factor_DD in zip(
            self.weights_C, self.means_CD, self.factors_CDD, strict=True
        ):
            noise_DN = torch.linalg.solve_triangular(factor_DD, (x_ND - mean_D).T, upper=False)
            volume = factor_DD.diagonal().log().sum() + 0.5 * len(mean_D) * math.log(2 * math.pi)
            columns.append(weight.log() - volume - 0.5 * noise_DN.square().sum(0))
        return torch.stack(columns, 1)

    def likelihood(self, x_ND: Tensor) -> float:
        """Return the mean log-likelihood, in nats per face."""
        return float(self.log_densities(x_ND).logsumexp(1).mean())


def _choose(x_ND: Tensor, on_progress: OnProgress) -> tuple[_Choice, float]:
    """Return the best mixture to fit, and its gain over one normal distribution, in nats."""
    train_ND, held_ND = hold_out(x_ND)
    train_ND = train_ND[:_MAX_FACES_TO_CHOOSE_BY]
    largest = max(1, len(train_ND) // _MIN_FACES_PER_COMPONENT)
    ladder = [number for number in _LADDER if number <= largest]
    total = (len(ladder) + len(_OTHER_STRENGTHS)) * len(train_ND)
    found: dict[_Choice, float] = {}

    def measure(choice: _Choice) -> float:
        found[choice] = _fit(train_ND, choice).likelihood(held_ND)
        on_progress(len(found) * len(train_ND), total)
        return found[choice]

    before = -math.inf
    for number in ladder:
        likelihood = measure(_Choice(num_components=number, strength=_STRENGTH))
        if likelihood < before:
            break
        before = likelihood
    one = found[_Choice(num_components=1, strength=_STRENGTH)]
    best = max(found, key=found.__getitem__)
    for strength in _OTHER_STRENGTHS:
        measure(_Choice(num_components=best.num_components, strength=strength))
    best = max(found, key=found.__getitem__)
    return best, found[best] - one


def _fit(x_ND: Tensor, choice: _Choice) -> _Mixture:
    """Run expectation-maximisation until a round gains little."""
    faces = choice.strength * x_ND.shape[1]
    shares_NC = one_hot(_group(x_ND, choice.num_components), choice.num_components).double()
    before = -math.inf
    for _ in range(_MAX_ROUNDS):
        mixture = _maximise(x_ND, shares_NC, faces)
        logs_NC = mixture.log_densities(x_ND)
        likelihood = float(logs_NC.logsumexp(1).mean())
        if likelihood - before < _MIN_GAIN_NATS:
            break
        before, shares_NC = likelihood, logs_NC.softmax(1)
    return mixture


def _maximise(x_ND: Tensor, shares_NC: Tensor, prior_faces: float) -> _Mixture:
    """Return the most probable mixture, given the share of each component in each face."""
    # A component without faces would have no mean.
    faces_C = shares_NC.sum(0).clamp(min=1e-6)
    means_CD = shares_NC.T @ x_ND / faces_C[:, None]
    prior_DD = prior_faces * torch.eye(x_ND.shape[1], dtype=x_ND.dtype)
    factors = []
    for number, faces in enumerate(faces_C):
        deviations_ND = x_ND - means_CD[number]
        scatter_DD = deviations_ND.T @ (shares_NC[:, number, None] * deviations_ND)
        factors.append(torch.linalg.cholesky((scatter_DD + prior_DD) / (faces + prior_faces)))
    return _Mixture(
        weights_C=faces_C / faces_C.sum(), means_CD=means_CD, factors_CDD=torch.stack(factors)
    )


def _group(x_ND: Tensor, num_groups: int) -> Tensor:
    """Return a group for each face, N int64, by k-means from faces chosen by a fixed seed."""
    x_ND = x_ND[:, :_MEANS_DIRECTIONS]
    order = torch.randperm(len(x_ND), generator=torch.Generator().manual_seed(0))
    means_CD = x_ND[order[:num_groups]]
    for _ in range(_MEANS_ROUNDS):
        groups_N = torch.cdist(x_ND, means_CD).argmin(1)
        shares_NC = one_hot(groups_N, num_groups).double()
        faces_C1 = shares_NC.sum(0)[:, None]
        means_CD = torch.where(faces_C1 > 0, shares_NC.T @ x_ND / faces_C1.clamp(min=1), means_CD)
    return groups_N
