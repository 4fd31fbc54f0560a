"""Comparison of latents with the fitted distribution."""

import numpy as np
import pytest

from faceae.latent import (
    FAR_SHARE,
    LatentMoments,
    LatentReference,
    NormalPrior,
    latent_noise,
)

SIZE = 6
SCALES = np.array([5, 3, 2, 1, 0.5, 1e-9], np.float32)


def latents(count: int, seed: int = 1) -> np.ndarray:
    return latent_noise(seed, 0, count, SIZE) * SCALES + 7


@pytest.fixture(scope="module")
def reference() -> LatentReference:
    return LatentReference(fit(latents(5000)))


def fit(z_NZ: np.ndarray) -> NormalPrior:
    moments = LatentMoments(SIZE)
    moments.update(z_NZ)
    return moments.normal_prior(weights_hash="w", dataset_hash="d")


def test_latents_of_the_distribution_do_not_drift(reference: LatentReference) -> None:
    drift = reference.compare(latents(2000, seed=2))
    assert drift.count == 2000
    assert drift.shift < 0.1
    assert drift.spread == pytest.approx(1, abs=0.1)
    assert drift.far == pytest.approx(FAR_SHARE, abs=0.01)


def test_a_shift_is_counted_in_standard_deviations(reference: LatentReference) -> None:
    drift = reference.compare(latents(2000, seed=2) + np.array([0, 6, 0, 0, 0, 0], np.float32))
    assert drift.shift == pytest.approx(2, abs=0.1)
    assert drift.far > 0.1


def test_few_latents_are_not_shifted_by_chance(reference: LatentReference) -> None:
    shifts = [reference.compare(latents(10, seed=seed)).shift for seed in range(20)]
    assert np.square(shifts).mean() < 0.3


def test_wider_latents_spread(reference: LatentReference) -> None:
    z_NZ = latents(2000, seed=2)
    assert reference.compare(7 + 2 * (z_NZ - 7)).spread == pytest.approx(4, abs=0.3)


def test_one_latent(reference: LatentReference) -> None:
    assert reference.compare(latents(1)).count == 1
