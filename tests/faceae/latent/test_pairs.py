"""Pairs mix two training faces, and keep the moments of all."""

from pathlib import Path

import numpy as np
import pytest

from faceae.errors import FaceaeError
from faceae.latent import LatentMoments, PairsPrior, fit_pairs, latent_noise, load_prior, save_prior

Z = 5


def draw_faces(count: int) -> np.ndarray:
    """Latents that are far from normal."""
    return np.random.default_rng(0).exponential(2, (count, Z)).astype(np.float32)


def fit(z_NZ: np.ndarray) -> PairsPrior:
    moments = LatentMoments(z_NZ.shape[1])
    moments.update(z_NZ)
    return fit_pairs(z_NZ, moments.normal_prior(weights_hash="abc", dataset_hash="def"))


def test_a_face_is_the_mixture_of_the_two_that_its_noise_chooses() -> None:
    z_NZ = draw_faces(200)
    noise = np.zeros((3, Z), np.float32)
    noise[:, -2:] = [[-9, 9], [9, 9], [-9, 0.001]]
    centred = z_NZ - z_NZ.mean(0)
    expected = z_NZ.mean(0) + (centred[[0, 199, 0]] + centred[[199, 199, 100]]) / np.sqrt(2)
    np.testing.assert_allclose(fit(z_NZ).sampler().latents(noise), expected, atol=1e-5)


def test_drawn_latents_keep_the_moments_and_use_every_face() -> None:
    z_NZ = draw_faces(300)
    noise = latent_noise(0, 0, 40_000, Z)
    prior = fit(z_NZ)
    drawn = prior.sampler().latents(noise)
    np.testing.assert_allclose(drawn.mean(0), z_NZ.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z_NZ.T), atol=0.15)
    counts = np.bincount(np.searchsorted(prior.bounds, noise[:, -1]), minlength=300)
    assert counts.min() > 80
    assert counts.max() < 190


def test_truncation_scales_the_distance_to_the_mean() -> None:
    sampler, noise = fit(draw_faces(200)).sampler(), latent_noise(0, 0, 4, Z)
    mean = draw_faces(200).mean(0)
    whole = sampler.latents(noise) - mean
    np.testing.assert_allclose(sampler.latents(noise, 0.5) - mean, whole / 2, atol=1e-5)
    np.testing.assert_allclose(sampler.latents(noise, 0.0), np.tile(mean, (4, 1)), atol=1e-5)


def test_a_face_does_not_depend_on_its_batch_and_the_file_loads(tmp_path: Path) -> None:
    prior = fit(draw_faces(200))
    save_prior(prior, tmp_path / "latents.safetensors")
    whole = prior.sampler().latents(latent_noise(1, 0, 64, Z))
    sampler = load_prior(tmp_path / "latents.safetensors").sampler()
    for start in (0, 7, 63):
        assert np.array_equal(sampler.latents(latent_noise(1, start, 1, Z))[0], whole[start])


def test_of_very_many_faces_evenly_spaced_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceae.latent._pairs._MAX_FACES", 100)
    z_NZ = draw_faces(250)
    prior = fit(z_NZ)
    assert prior.count == 250
    kept = prior.halves * np.sqrt(2) + prior.mean
    np.testing.assert_allclose(kept[[0, 1, 99]], z_NZ[[0, 2, 247]], atol=1e-5)


@pytest.mark.parametrize(
    ("z_NZ", "message"),
    [
        (np.ones((100, Z), np.float32), "at least 128 faces, got 100"),
        (np.ones((200, Z), np.float32), "all faces as the same"),
        (np.arange(200, dtype=np.float32)[:, None], "latent size of at least 2"),
    ],
)
def test_fit_names_the_remedy(z_NZ: np.ndarray, message: str) -> None:
    with pytest.raises(FaceaeError, match=f"`prior='pairs'`.*{message}.*`prior='normal'`"):
        fit(z_NZ)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    prior = fit(draw_faces(200))
    object.__setattr__(prior, "bounds", prior.bounds[1:])
    save_prior(prior, tmp_path / "latents.safetensors")
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: damaged"):
        load_prior(tmp_path / "latents.safetensors")
