"""An adversarial step: who learns when, what the losses hold, and who may win."""

from pathlib import Path
from typing import Any

import pytest
import torch

from faceae.distributed import Ranks
from faceae.errors import FaceaeError
from faceae.model import ModelConfig, weights_hash
from faceae.training import TrainConfig
from faceae.training.step import TrainState, make_train_state, train_step
from faceae.training.step._adversary import Adversary, deceive, train_discriminator

MODEL = ModelConfig(image_size=32, latent_size=8, width=4, variant="adversarial")
TOTAL = 200
WARM, ALONE, BOTH = 0, 17, 100
"""Steps of the three phases of 200 steps."""


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=generator)


def make(**options: Any) -> tuple[TrainState, Adversary]:
    torch.manual_seed(0)
    config = TrainConfig(
        data=Path("data"),
        run=Path("run"),
        model="adversarial",
        init="random",
        **options,
    )
    state = make_train_state(
        MODEL,
        config,
        device=torch.device("cpu"),
        amp_dtype=options.pop("amp_dtype", None),
        total_steps=TOTAL,
        ranks=Ranks(),
    )
    assert state.adversary is not None
    return state, state.adversary


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def differs(before: list[torch.Tensor], module: torch.nn.Module) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(before, weights(module), strict=True))


@pytest.mark.parametrize(
    ("step", "model_learns", "discriminator_learns"),
    [(WARM, True, False), (ALONE, False, True), (BOTH, True, True)],
)
def test_who_learns(
    images: torch.Tensor, step: int, model_learns: bool, discriminator_learns: bool
) -> None:
    state, adversary = make()
    model, discriminator = weights(state.model), weights(adversary.discriminator)
    train_step(state, step, images)
    assert differs(model, state.model) == model_learns
    assert differs(discriminator, adversary.discriminator) == discriminator_learns
    assert all(p.requires_grad for p in adversary.discriminator.parameters())


def test_average_begins_as_the_model_and_follows_it(images: torch.Tensor) -> None:
    state, adversary = make()
    train_step(state, 0, images)
    assert weights_hash(adversary.average) == weights_hash(state.model)
    before = weights(adversary.average)
    train_step(state, BOTH, images)
    assert weights_hash(adversary.average) != weights_hash(state.model)
    moved = weights(adversary.average)
    for old, new, target in zip(before, moved, weights(state.model), strict=True):
        torch.testing.assert_close(new, old + 0.002 * (target - old))


def test_new_faces_have_the_moments_of_the_latents(images: torch.Tensor) -> None:
    _, adversary = make()
    real = images.float() / 127.5 - 1
    drawing = adversary.drawing
    assert adversary.draw(real, draw=True).faces_NCHW.shape == (2 * len(images), 3, 32, 32)
    latents = 3 + torch.randn(4096, 8) @ torch.randn(8, 8)
    drawing.mean_Z.copy_(latents.mean(0))
    new = drawing.pair(latents)
    torch.testing.assert_close(new.mean(0), latents.mean(0), rtol=0, atol=0.2)
    torch.testing.assert_close(new.T.cov(), latents.T.cov(), rtol=0.1, atol=0.5)


def test_new_latents_come_from_two_faces() -> None:
    _, adversary = make()
    new = adversary.drawing.pair(torch.eye(8))
    assert torch.equal((new > 0).float(), torch.eye(8) + torch.eye(8).roll(1, 0))


def test_mean_of_the_latents_is_followed(images: torch.Tensor) -> None:
    _, adversary = make()
    real = images.float() / 127.5 - 1
    for _ in range(600):
        adversary.drawing(real)
    latents = torch.stack([adversary.drawing.model.encode(real).mean(0) for _ in range(50)])
    torch.testing.assert_close(adversary.drawing.mean_Z, latents.mean(0), rtol=0, atol=0.3)


def test_losses_are_the_pixels_and_the_divergence(images: torch.Tensor) -> None:
    state, _ = make()
    losses = train_step(state, BOTH, images)
    assert losses.loss > losses.penalty > 0
    assert not losses.loss.requires_grad


def test_both_losses_fall_for_who_is_right(images: torch.Tensor) -> None:
    """A higher score of everything is good for the model, and for the discriminator neither."""
    _, adversary = make()
    real = images.float() / 127.5 - 1
    drawn = adversary.draw(real, draw=True)

    def losses(bias: float) -> tuple[float, float]:
        with torch.no_grad():
            adversary.discriminator.last.bias.fill_(bias)
        torch.manual_seed(1)
        right = train_discriminator(adversary, real, drawn, 1e-4).item()
        torch.manual_seed(1)
        return right, deceive(adversary, real, drawn).item()

    (low, deceived_low), (high, deceived_high) = losses(-5.0), losses(5.0)
    assert low == pytest.approx(high, rel=0.3)
    assert low > 4
    assert deceived_low - deceived_high == pytest.approx(5.0, rel=0.05)


def test_first_step_against_the_discriminator_is_no_longer_than_later_ones(
    images: torch.Tensor,
) -> None:
    """Adam's moments of the small gradients before would make it many times as long."""
    state, _ = make()

    def step_length(step: int) -> float:
        before = weights(state.model)
        train_step(state, step, images)
        pairs = zip(before, weights(state.model), strict=True)
        return max((new - old).abs().max().item() for old, new in pairs)

    for step in range(16):
        train_step(state, step, images)
    lengths = [step_length(step) for step in range(16, 24)]
    lr = state.optimizer.param_groups[0]["lr"]
    assert max(lengths) < 2 * lr


def test_discriminator_that_wins_learns_more_slowly_and_then_ends_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, adversary = make()
    adversary.accuracy.fill_(0.9)
    assert adversary.balanced_rate() == 1.0
    adversary.accuracy.fill_(0.99)
    adversary.rate = adversary.balanced_rate()
    assert adversary.rate == 0.5
    assert "discriminator" in caplog.text
    for _ in range(5):
        adversary.rate = adversary.balanced_rate()
    with pytest.raises(FaceaeError, match="`lr`"):
        adversary.balanced_rate()


def test_state_comes_back(images: torch.Tensor) -> None:
    state, adversary = make()
    train_step(state, BOTH, images)
    adversary.rate = 0.25
    kept = {name: tensor.clone() for name, tensor in adversary.tensors().items()}
    _, other = make()
    other.restore(kept)
    restored = other.tensors()
    assert restored.keys() == kept.keys()
    assert all(torch.equal(restored[name], kept[name]) for name in kept)


@pytest.mark.parametrize("option", [{"accumulate": 2}, {"compile": True}, {"cuda_graph": True}])
def test_options_of_a_single_network_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(FaceaeError, match=next(iter(option))):
        make(**option)
