"""Each kind of model does what its name says."""

from pathlib import Path
from typing import Any

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, ModelConfig, Variant
from faceae.training import TrainConfig
from faceae.training.step._objective import Objective, make_objective

NUM_PIXELS = 3 * 32 * 32


def make(variant: Variant, **options: Any) -> Objective:
    torch.manual_seed(0)
    model_config = ModelConfig(image_size=32, latent_size=16, width=4, variant=variant)
    config = TrainConfig(data=Path("data"), run=Path("run"), model=variant, **options)
    return make_objective(FaceAutoEncoder(model_config), config)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_plain_is_the_squared_error_alone(images: torch.Tensor) -> None:
    objective = make("plain")
    losses = objective(images)
    expected = (objective.model(images) - images).square().mean()
    assert losses.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert losses.penalty.item() == 0


def test_denoising_sees_noise_and_is_held_to_the_clean_face(images: torch.Tensor) -> None:
    objective = make("denoising", noise_std=0.25)
    seen = []
    objective.model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    losses = objective(images)
    noise = seen[0] - images
    assert noise.std().item() == pytest.approx(0.25, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    clean_error = (objective.model.decode(objective.model.encode(seen[0])) - images).square().mean()
    assert losses.loss.item() == pytest.approx(clean_error.item(), rel=1e-4)
    objective(images)
    assert not torch.equal(seen[0], seen[-1]), "new noise each time"
    assert not torch.equal(seen[0][0] - images[0], seen[0][1] - images[1]), "of each face its own"


def test_regularised_adds_half_the_squared_length(images: torch.Tensor) -> None:
    objective = make("regularised", latent_penalty=0.5)
    losses = objective(images)
    z_NZ = objective.model.encode(images)
    expected = 0.5 * 0.5 * z_NZ.square().sum(1).mean() / NUM_PIXELS
    assert losses.penalty.item() == pytest.approx(expected.item(), rel=1e-4)
    error = (objective.model.decode(z_NZ) - images).square().mean()
    assert losses.loss.item() == pytest.approx((error + expected).item(), rel=1e-4)


def test_variational_penalty_is_the_divergence_of_torchs_distributions(
    images: torch.Tensor,
) -> None:
    objective = make("variational", kl_weight=0.5)
    losses = objective(images)
    mean, log_variance = objective.model.encode_distribution(images)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros(16), torch.ones(16))
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    assert losses.penalty.item() == pytest.approx(0.5 * divergence.item() / NUM_PIXELS, rel=1e-3)
    assert torch.allclose(objective.model.encode(images), mean, atol=1e-6), "encode is the mean"


def test_variational_decodes_what_it_draws(images: torch.Tensor) -> None:
    objective = make("variational")
    decoded: list[torch.Tensor] = []
    objective.model.decoder.register_forward_pre_hook(lambda _, x: decoded.append(x[0].flatten(1)))
    with torch.no_grad():
        for _ in range(200):
            objective(images)
        mean, log_variance = objective.model.encode_distribution(images)
    draws = torch.stack(decoded)
    torch.testing.assert_close(draws.mean((0, 1)), mean.mean(0), atol=0.05, rtol=0)
    deviations = ((draws - mean) / (0.5 * log_variance).exp()).std()
    assert deviations.item() == pytest.approx(1, rel=0.01)


def test_variational_gradient_reaches_mean_and_variance(images: torch.Tensor) -> None:
    objective = make("variational", kl_weight=0.0)
    objective(images).loss.backward()
    assert objective.model.log_variance.weight.grad.abs().sum() > 0
    assert objective.model.encoder[-2].weight.grad.abs().sum() > 0


def test_free_bits_are_what_each_latent_number_has_for_nothing(images: torch.Tensor) -> None:
    objective = make("variational", kl_weight=1.0, free_bits=5.0)
    with torch.no_grad():  # two numbers that say more than that
        objective.model.encoder[-2].weight[:2] *= 1000
    mean, log_variance = objective.model.encode_distribution(images)
    divergence_Z = (0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)).mean(0)
    assert (divergence_Z[:2] > 5).all()
    assert (divergence_Z[2:] < 5).all()
    expected = (divergence_Z[:2].sum() + 14 * 5.0) / NUM_PIXELS
    losses = objective(images)
    assert losses.penalty.item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("variant", "weak", "strong"),
    [
        ("regularised", {"latent_penalty": 0.0}, {"latent_penalty": 100.0}),
        ("variational", {"kl_weight": 0.0}, {"kl_weight": 100.0}),
    ],
)
def test_stronger_penalty_draws_latents_to_zero(
    images: torch.Tensor, variant: Variant, weak: dict[str, Any], strong: dict[str, Any]
) -> None:
    lengths = []
    for options in (weak, strong):
        objective = make(variant, **options)
        optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
        for _ in range(30):
            optimizer.zero_grad()
            objective(images[:8]).loss.backward()
            optimizer.step()
        lengths.append(objective.model.encode(images[:8]).norm(dim=1).mean().item())
    assert lengths[1] < 0.3 * lengths[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": 0.1}, "`noise_std` belongs to `model='denoising'`, not to 'plain'"),
        ({"model": "denoising", "kl_weight": 1.0}, "`kl_weight` belongs to `model='variat"),
        ({"model": "variational", "latent_penalty": 1.0}, "`latent_penalty` belongs to"),
        ({"model": "variational", "free_bits": -1.0}, "`free_bits` must be a number of at least 0"),
        ({"model": "denoising", "noise_std": float("nan")}, "`noise_std` must be a number"),
        ({"model": "gan"}, "`model` must be one of plain, denoising, variational, regularised"),
    ],
)
def test_options_of_other_kinds_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FaceaeError, match=message):
        TrainConfig(data=Path("data"), run=Path("run"), **options)
