"""The noise of a face's number, the samples drawn from it, and the way between two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.latent import NormalPrior, NormalSampler, latent_noise

Z = 6


def make_distribution(covariance: NDArray[np.float64]) -> NormalPrior:
    return NormalPrior(
        mean=np.arange(len(covariance), dtype=np.float64),
        covariance=covariance,
        count=100,
        weights_hash="",
        dataset_hash="",
    )


def make_covariance(rank: int = Z) -> NDArray[np.float64]:
    root_RZ = np.random.default_rng(1).normal(size=(rank, Z))
    return root_RZ.T @ root_RZ


@given(start=st.integers(0, 400), count=st.integers(0, 200))
def test_noise_of_a_face_does_not_depend_on_its_batch(start: int, count: int) -> None:
    whole = latent_noise(seed=3, start=0, count=600, latent_size=Z)
    part = latent_noise(seed=3, start=start, count=count, latent_size=Z)
    assert part.dtype == np.float32
    assert np.array_equal(part, whole[start : start + count])


def test_noise_is_what_it_was_in_the_first_release() -> None:
    """Should this fail after an update of numpy, old seeds would give other faces."""
    noise = latent_noise(seed=1, start=100, count=1, latent_size=3)
    np.testing.assert_allclose(noise, [[0.85564727, 0.40758276, -0.22850391]], rtol=1e-6)


def test_noise_is_standard_normal_and_differs_between_faces_and_seeds() -> None:
    noise = latent_noise(seed=0, start=0, count=20_000, latent_size=Z)
    assert np.abs(noise.mean(0)).max() < 0.03
    assert np.abs(np.cov(noise.T) - np.eye(Z)).max() < 0.04
    other = latent_noise(seed=1, start=0, count=20_000, latent_size=Z)
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.02
    assert len(np.unique(noise[:, 0])) > 19_900


def test_noise_of_far_faces() -> None:
    last = latent_noise(seed=2**63 - 1, start=2**63 - 1, count=1, latent_size=Z)
    assert np.isfinite(last).all()


@pytest.mark.parametrize(
    ("seed", "start", "count"), [(-1, 0, 1), (0, -1, 1), (0, 0, -1), (2**63, 0, 1)]
)
def test_noise_numbers_out_of_range(seed: int, start: int, count: int) -> None:
    with pytest.raises(FaceaeError, match="at least 0 and below"):
        latent_noise(seed, start, count, Z)


def test_sampler_draws_the_fitted_mean_and_covariance() -> None:
    distribution = make_distribution(make_covariance())
    sampler = NormalSampler(distribution)
    latents = sampler.latents(latent_noise(0, 0, 100_000, Z))
    assert latents.dtype == np.float32
    scale = np.abs(distribution.covariance).max()
    assert np.abs(latents.mean(0) - distribution.mean).max() < 0.02 * scale
    assert np.abs(np.cov(latents.T) - distribution.covariance).max() < 0.03 * scale


def test_sampler_factor_is_the_symmetric_root() -> None:
    covariance = make_covariance()
    factor = NormalSampler(make_distribution(covariance)).factor.astype(np.float64)
    np.testing.assert_allclose(factor, factor.T, atol=1e-6)
    np.testing.assert_allclose(factor @ factor, covariance, atol=1e-5)


def test_sampler_of_fewer_faces_than_numbers_has_no_nan() -> None:
    """Rounding makes the zero eigenvalues of a covariance of low rank slightly negative."""
    covariance = make_covariance(rank=2)
    assert np.linalg.eigvalsh(covariance).min() < 0
    factor = NormalSampler(make_distribution(covariance)).factor.astype(np.float64)
    np.testing.assert_allclose(factor @ factor, covariance, atol=1e-5)


def test_sampler_truncation_scales_the_distance_to_the_mean() -> None:
    sampler = NormalSampler(make_distribution(make_covariance()))
    noise = latent_noise(0, 0, 4, Z)
    whole = sampler.latents(noise) - sampler.mean
    half = sampler.latents(noise, truncation=0.5) - sampler.mean
    np.testing.assert_allclose(half, whole / 2, atol=1e-5)
    assert np.array_equal(sampler.latents(noise, truncation=0.0), np.tile(sampler.mean, (4, 1)))
