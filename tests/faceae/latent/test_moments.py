"""Mean and covariance in one pass, in any batches and over several processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.latent import LatentMoments, NormalPrior


def make_latents(count: int, latent_size: int = 5, offset: float = 0.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(count)
    mixing_ZZ = rng.normal(size=(latent_size, latent_size))
    return rng.normal(size=(count, latent_size)) @ mixing_ZZ + offset


def finish(moments: LatentMoments) -> NormalPrior:
    return moments.normal_prior(weights_hash="w", dataset_hash="d")


def measure(latents: NDArray[np.float64], cuts: list[int]) -> LatentMoments:
    moments = LatentMoments(latents.shape[1])
    for part in np.split(latents, sorted(cuts)):
        moments.update(part)
    return moments


def assert_is_distribution_of(found: NormalPrior, latents: NDArray[np.float64]) -> None:
    assert found.count == len(latents)
    np.testing.assert_allclose(found.mean, latents.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(latents.T), rtol=1e-10, atol=1e-12)


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_any_batches_give_numpys_covariance(cuts: list[int]) -> None:
    latents = make_latents(40)
    assert_is_distribution_of(finish(measure(latents, cuts)), latents)


@given(cut=st.integers(0, 40), cuts=st.lists(st.integers(0, 10), max_size=2))
def test_merged_ranks_give_the_covariance_of_all(cut: int, cuts: list[int]) -> None:
    latents = make_latents(40)
    moments = measure(latents[:cut], cuts)
    moments.merge(measure(latents[cut:], cuts))
    assert_is_distribution_of(finish(moments), latents)


def test_spread_between_batches_counts() -> None:
    """The mean of the batches' covariances, which some take, would be 0 here."""
    moments = LatentMoments(1)
    for value in (0.0, 1.0, 2.0):
        moments.update(np.full((2, 1), value))
    assert finish(moments).covariance[0, 0] == pytest.approx(0.8)


def test_large_mean_keeps_the_digits_of_a_small_spread() -> None:
    latents = make_latents(40, offset=1e6)
    found = finish(measure(latents, [7, 20]))
    np.testing.assert_allclose(found.covariance, np.cov((latents - 1e6).T), atol=1e-9)


def test_covariance_is_exactly_symmetric() -> None:
    covariance = finish(measure(make_latents(40, latent_size=20, offset=3.0), [7, 20])).covariance
    assert np.array_equal(covariance, covariance.T)


def test_update_leaves_float64_latents_alone() -> None:
    latents = make_latents(6)
    before = latents.copy()
    LatentMoments(5).update(latents)
    assert np.array_equal(latents, before)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_faces(count: int) -> None:
    with pytest.raises(FaceaeError, match=f"at least 2 faces, got {count}"):
        finish(measure(make_latents(3)[:count], []))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_that_are_not_finite(value: float) -> None:
    with pytest.raises(FaceaeError, match=r"not finite.*`lr`"):
        LatentMoments(2).update(np.array([[0.0, 1.0], [value, 1.0]]))
