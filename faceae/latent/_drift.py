"""How far latents are from the distribution that was fitted to a run's faces.

Shapes: N latents, Z latent size, D leading principal directions.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ._moments import LatentMoments
from ._normal import NormalPrior
from ._principal import PrincipalDirections, find_directions
from ._prior import Prior
from ._sampling import latent_noise

FAR_SHARE = 0.01
"""Share of the fitted distribution that counts as far."""
_SEED = 20_000
_MIN_DRAWN = 4096


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Comparison of latents with the fitted distribution."""

    count: int
    """Number of latents."""
    shift: float
    """Distance between the means, in standard deviations. What chance alone contributes to it with
    so few latents is subtracted."""
    spread: float
    """Mean square of the latents' distances from the fitted mean. 1 for the fitted distribution."""
    far: float
    """Share of latents that are farther from the mean than 99 % of the fitted distribution."""

    def to_json(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


class LatentReference:
    """The leading principal directions of a fitted distribution, to compare latents with."""

    def __init__(self, prior: Prior) -> None:
        """Measure a distribution. A mixture or a flow is known by 4,096 or more drawn latents."""
        size = self._latent_size = prior.tensors()["mean"].size
        self._sampler = prior.sampler()
        self.weights_hash = prior.weights_hash
        """`faceae.model.weights_hash` of the model whose latents these are."""
        drawn_NZ = self.draw(max(_MIN_DRAWN, 4 * size))
        self._directions = _directions_of(prior, drawn_NZ)
        self.far_distance = float(np.quantile(self.distances(drawn_NZ), 1 - FAR_SHARE))
        """Distance that is exceeded by 1 % of the fitted distribution."""

    def draw(self, count: int) -> NDArray[np.float32]:
        """Return latents of the fitted distribution, N x Z, always the same ones."""
        return self._sampler.latents(latent_noise(_SEED, 0, count, self._latent_size))

    def whiten(self, z_NZ: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return coordinates in standard deviations from the mean, N x D."""
        return self._directions.whiten(z_NZ)

    def distances(self, z_NZ: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the distance of each latent from the mean, N.

        It is the root mean square of the coordinates, about 1 for the fitted distribution.
        """
        return root_mean_square(self.whiten(z_NZ))

    def compare(self, z_NZ: NDArray[np.float32]) -> Drift:
        """Compare at least one latent, N x Z, with the distribution."""
        return self.compare_whitened(self.whiten(z_NZ))

    def compare_whitened(self, x_ND: NDArray[np.float64]) -> Drift:
        """Compare latents as `whiten` returns them."""
        mean_D = x_ND.mean(0)
        spread = float(np.square(x_ND).mean())
        by_chance = x_ND.var(0).sum() / max(len(x_ND) - 1, 1)
        return Drift(
            count=len(x_ND),
            shift=float(np.sqrt(max(mean_D @ mean_D - by_chance, 0))),
            spread=spread,
            far=float((root_mean_square(x_ND) > self.far_distance).mean()),
        )


def root_mean_square(x_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square of each row, N."""
    result: NDArray[np.float64] = np.sqrt(np.square(x_ND).mean(1))
    return result


def _directions_of(prior: Prior, drawn_NZ: NDArray[np.float32]) -> PrincipalDirections:
    if isinstance(prior, NormalPrior):
        return find_directions(prior)
    moments = LatentMoments(drawn_NZ.shape[1])
    moments.update(drawn_NZ)
    return find_directions(moments.normal_prior(weights_hash="", dataset_hash=""))
