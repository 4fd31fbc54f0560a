"""A mixture draws what it describes, and chooses components without rounding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.latent import (
    LatentMoments,
    MixturePrior,
    fit_mixture,
    latent_noise,
    load_prior,
    save_prior,
)

Z = 5


def make_prior() -> MixturePrior:
    """A mixture of weights 0.25 and 0.75 on two of five directions."""
    factor_DD = np.array([[0.5, 0], [0.3, 0.4]], np.float32)
    return MixturePrior(
        mean=np.arange(Z, dtype=np.float32),
        basis=np.diag([4, 3, 2, 1, 0.1]).astype(np.float32)[:-1],
        bounds=np.array([-0.6744898], np.float32),
        shifts=np.array([[3, 0], [-1, 0]], np.float32),
        factors=np.stack([factor_DD, 2 * factor_DD]),
        gain_nats=0.5,
        count=100,
        weights_hash="abc",
        dataset_hash="def",
    )


def draw_two_groups(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    first = rng.random((count, 1)) < 0.3
    z_NZ = np.where(first, rng.normal(4, 0.5, (count, Z)), rng.normal(-1, 1.5, (count, Z)))
    return z_NZ.astype(np.float32)


def fit(z_NZ: np.ndarray) -> MixturePrior:
    moments = LatentMoments(z_NZ.shape[1])
    moments.update(z_NZ)
    return fit_mixture(z_NZ, moments.normal_prior(weights_hash="abc", dataset_hash="def"))


def test_latents_have_the_components_weights_means_and_covariances() -> None:
    noise = latent_noise(0, 0, 40_000, Z)
    x_NZ = (make_prior().sampler().latents(noise) - np.arange(Z)) / [4, 3, 2, 1, 1]
    first = noise[:, -1] <= np.float32(-0.6744898)
    assert abs(first.mean() - 0.25) < 0.01
    covariance = np.array([[0.25, 0.15], [0.15, 0.25]])
    np.testing.assert_allclose(x_NZ[first, :2].mean(0), [3, 0], atol=0.03)
    np.testing.assert_allclose(np.cov(x_NZ[first, :2].T), covariance, atol=0.03)
    np.testing.assert_allclose(np.cov(x_NZ[~first, :2].T), 4 * covariance, atol=0.06)
    np.testing.assert_allclose(x_NZ[:, 2:].std(0), [1, 1, 0], atol=0.02)


def test_a_face_does_not_depend_on_its_batch() -> None:
    sampler = make_prior().sampler()
    whole = sampler.latents(latent_noise(1, 0, 64, Z))
    for start in (0, 7, 63):
        part = sampler.latents(latent_noise(1, start, 1, Z))
        np.testing.assert_allclose(part[0], whole[start], rtol=1e-6, atol=1e-6)


def test_noise_on_a_bound_belongs_to_one_component() -> None:
    noise = np.zeros((1, Z), np.float32)
    noise[0, -1] = make_prior().bounds[0]
    np.testing.assert_allclose(make_prior().sampler().latents(noise)[0, 0], 12)


def test_truncation_scales_the_distance_to_the_mean_of_all() -> None:
    sampler, noise = make_prior().sampler(), latent_noise(0, 0, 4, Z)
    mean = np.arange(Z, dtype=np.float32)
    whole = sampler.latents(noise) - mean
    np.testing.assert_allclose(sampler.latents(noise, 0.5) - mean, whole / 2, atol=1e-5)
    assert np.array_equal(sampler.latents(noise, 0.0), np.tile(mean, (4, 1)))


def test_fit_finds_two_groups_and_keeps_the_moments() -> None:
    z_NZ = draw_two_groups(1000)
    prior = fit(z_NZ)
    assert len(prior.shifts) >= 2
    assert prior.gain_nats > 0.5
    drawn = prior.sampler().latents(latent_noise(0, 0, 20_000, Z))
    np.testing.assert_allclose(drawn.mean(0), z_NZ.mean(0), atol=0.1)
    assert abs(np.linalg.norm(np.cov(drawn.T)) / np.linalg.norm(np.cov(z_NZ.T)) - 1) < 0.1


def test_fit_of_normal_latents_takes_one_component_and_its_file_loads(tmp_path: Path) -> None:
    z_NZ = np.random.default_rng(0).normal(size=(400, Z)).astype(np.float32)
    prior = fit(z_NZ)
    assert prior.shifts.shape[0] == 1
    save_prior(prior, tmp_path / "latents.safetensors")
    loaded = load_prior(tmp_path / "latents.safetensors")
    noise = latent_noise(0, 0, 9, Z)
    assert np.array_equal(loaded.sampler().latents(noise), prior.sampler().latents(noise))


def test_fit_is_the_same_twice_and_leaves_the_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = fit(draw_two_groups(300)), fit(draw_two_groups(300))
    assert torch.equal(torch.rand(1), expected)
    assert np.array_equal(first.factors, second.factors)


def test_fit_of_fewer_faces_than_directions() -> None:
    z_NZ = np.random.default_rng(0).normal(size=(130, 200)).astype(np.float32)
    assert np.isfinite(fit(z_NZ).sampler().latents(latent_noise(0, 0, 9, 200))).all()


@pytest.mark.parametrize(
    ("z_NZ", "message"),
    [
        (np.ones((100, Z), np.float32), "at least 128 faces, got 100"),
        (np.ones((200, Z), np.float32), "all faces as the same"),
        (np.arange(200, dtype=np.float32)[:, None], "latent size of at least 2"),
    ],
)
def test_fit_names_the_remedy(z_NZ: np.ndarray, message: str) -> None:
    with pytest.raises(FaceaeError, match=f"`prior='gmm'`.*{message}.*`prior='normal'`"):
        fit(z_NZ)
