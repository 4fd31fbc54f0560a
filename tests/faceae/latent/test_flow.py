"""A flow starts as a normal distribution, and learns what differs from it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from faceae.errors import FaceaeError
from faceae.latent import (
    FlowConfig,
    FlowPrior,
    LatentMoments,
    fit_flow,
    latent_noise,
    load_prior,
    save_prior,
)

Z = 3
SMALL = FlowConfig(width=16, num_blocks=1, max_steps=500, lr=5e-3)


def draw_two_groups(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.where(rng.random((count, 1)) < 0.5, 3, -3) * np.array([1, 0, 0])
    return (centres + rng.normal(size=(count, Z)) * [0.5, 1, 1]).astype(np.float32)


def fit(z_NZ: np.ndarray, config: FlowConfig = SMALL) -> FlowPrior:
    moments = LatentMoments(z_NZ.shape[1])
    moments.update(z_NZ)
    normal = moments.normal_prior(weights_hash="abc", dataset_hash="def")
    return fit_flow(z_NZ, normal, config=config)


@pytest.fixture(scope="module")
def prior() -> FlowPrior:
    return fit(draw_two_groups(600))


def test_flow_learns_two_groups(prior: FlowPrior) -> None:
    assert prior.loss < 0.95
    z_NZ = prior.sampler().latents(latent_noise(0, 0, 2000, Z))
    assert (np.abs(z_NZ[:, 0]) < 1).mean() < 0.15  # a normal distribution: 0.26
    assert np.abs(z_NZ.mean(0)).max() < 0.4
    np.testing.assert_allclose(z_NZ.std(0), [3, 1, 1], rtol=0.15)


def test_untrained_flow_is_the_normal_distribution() -> None:
    z_NZ = draw_two_groups(300)
    prior = fit(z_NZ, replace(SMALL, lr=0.0, max_steps=1))
    assert (prior.loss, prior.num_steps) == (1, 1)
    drawn = prior.sampler().latents(latent_noise(0, 0, 20_000, Z))
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z_NZ.T), atol=0.2)


def test_truncation_scales_the_noise(prior: FlowPrior) -> None:
    sampler, noise = prior.sampler(), latent_noise(0, 0, 4, Z)
    np.testing.assert_allclose(
        sampler.latents(noise, 0.5), sampler.latents(noise / 2), rtol=1e-5, atol=1e-5
    )
    alone = sampler.latents(noise, 0.0)
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(alone, alone[:1].repeat(4, 0), atol=1e-5)


def test_fit_is_the_same_twice_and_leaves_the_random_state() -> None:
    config = replace(SMALL, max_steps=20)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = fit(draw_two_groups(200), config), fit(draw_two_groups(200), config)
    assert torch.equal(torch.rand(1), expected)
    noise = latent_noise(0, 0, 5, Z)
    assert np.array_equal(first.sampler().latents(noise), second.sampler().latents(noise))


def test_save_and_load_keep_every_bit(prior: FlowPrior, tmp_path: Path) -> None:
    save_prior(prior, tmp_path / "latents.safetensors")
    loaded = load_prior(tmp_path / "latents.safetensors")
    noise = latent_noise(0, 0, 9, Z)
    assert np.array_equal(loaded.sampler().latents(noise), prior.sampler().latents(noise))
    assert loaded.describe() == prior.describe()


def test_loss_that_is_not_finite_names_the_remedy() -> None:
    with pytest.raises(FaceaeError, match=r"`prior='flow'`.*not|no longer finite.*`prior='gmm'`"):
        fit(draw_two_groups(200), replace(SMALL, lr=float("inf"), max_steps=5))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("network.outer.weight", lambda array: np.full_like(array, np.nan)),
        ("network.outer.bias", lambda array: array[:-1]),
        ("network.inner.weight", None),
        ("basis", lambda array: array.astype(np.float64)),
    ],
)
def test_load_damaged_flow(prior: FlowPrior, tmp_path: Path, name: str, change) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "latents.safetensors"
    save_prior(prior, path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    array = tensors.pop(name)
    if change is not None:
        tensors[name] = change(array)
    path.write_bytes(safetensors.numpy.save(tensors, metadata))
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: damaged.*faceae fit") as raised:
        load_prior(path)
    assert not re.search(r"\n", str(raised.value))
