"""One optimisation step: learning, clipping, micro-batches, learning rate."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from faceae.distributed import Ranks
from faceae.model import ModelConfig, start_from_components, to_float, weights_hash
from faceae.training import TrainConfig
from faceae.training.step import TrainState, learning_rate, make_train_state, train_step

CPU = torch.device("cpu")


def small_state(
    amp_dtype: torch.dtype | None = None, total_steps: int = 100, **options: Any
) -> TrainState:
    torch.manual_seed(0)
    options = {"init": "random", "lr": 4e-3} | options
    config = TrainConfig(data=Path("data"), run=Path("run"), **options)
    model_config = ModelConfig(image_size=32, latent_size=16, width=8, variant=config.model)
    return make_train_state(
        model_config,
        config,
        device=CPU,
        amp_dtype=amp_dtype,
        total_steps=total_steps,
        ranks=Ranks(),
    )


def smooth_images(num_images: int = 8) -> torch.Tensor:
    """N x 3 x 32 x 32 uint8, channels-last: colour ramps in random directions."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(num_images, 3, 2, 2, generator=generator) * 255
    fine = torch.nn.functional.interpolate(coarse, 32, mode="bilinear")
    return fine.to(torch.uint8).contiguous(memory_format=torch.channels_last)


def test_steps_learn_a_batch_by_heart() -> None:
    train_state, images = small_state(total_steps=120), smooth_images()
    losses = [train_step(train_state, step, images).loss.item() for step in range(120)]
    psnr_db = 10 * math.log10(4 / losses[-1])
    assert losses[0] > 0.1
    assert psnr_db > 22


@pytest.mark.parametrize("amp_dtype", [torch.bfloat16, torch.float16])
def test_a_lower_precision_learns_nearly_the_same(amp_dtype: torch.dtype) -> None:
    images = smooth_images()
    losses = {dtype: train_steps(small_state(dtype), images, 20) for dtype in (None, amp_dtype)}
    assert losses[amp_dtype] == pytest.approx(losses[None], rel=0.1)


def train_steps(train_state: TrainState, images: torch.Tensor, num_steps: int) -> float:
    for step in range(num_steps):
        losses = train_step(train_state, step, images)
    return losses.loss.item()


def test_weights_moments_and_activations_are_channels_last() -> None:
    train_state = small_state()
    seen = []
    train_state.model.decoder[3].register_forward_hook(
        lambda _layer, inputs, _output: seen.append(
            inputs[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    train_step(train_state, 0, smooth_images())
    assert seen == [True]
    moments = [values["exp_avg"] for values in train_state.optimizer.state.values()]
    for tensor in [*train_state.model.parameters(), *moments]:
        if tensor.dim() == 4:
            assert tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("amp_dtype", [None, torch.float16])
@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "clip_norm": 1.0}])
def test_a_step_never_waits_for_the_device(
    amp_dtype: torch.dtype | None, options: dict[str, Any], host_reads: Any
) -> None:
    train_state, images = small_state(amp_dtype, **options), smooth_images()
    with host_reads:
        for step in range(3):
            losses = train_step(train_state, step, images)
        assert host_reads.count == 0
        losses.loss.item()
        assert host_reads.count == 1


def test_float16_skips_a_step_that_overflows_and_lowers_the_scale() -> None:
    train_state, images = small_state(torch.float16), smooth_images()
    train_state.scaler.load_state_dict(train_state.scaler.state_dict() | {"scale": 2.0**127})
    before = [parameter.clone() for parameter in train_state.model.parameters()]
    train_step(train_state, 0, images)
    assert all(map(torch.equal, before, train_state.model.parameters()))
    assert train_state.scaler.get_scale() == 2.0**126
    train_state.scaler.load_state_dict(train_state.scaler.state_dict() | {"scale": 2.0**10})
    train_step(train_state, 1, images)
    assert not any(map(torch.equal, before, train_state.model.parameters()))


@pytest.mark.parametrize("amp_dtype", [None, torch.bfloat16])
def test_only_float16_scales_the_loss(amp_dtype: torch.dtype | None) -> None:
    assert not small_state(amp_dtype).scaler.is_enabled()
    assert small_state(torch.float16).scaler.is_enabled()


def test_loss_is_the_mean_squared_error_before_the_step() -> None:
    train_state, images = small_state(), smooth_images()
    floats = to_float(images)
    expected = (train_state.model(floats) - floats).square().mean()
    hash_before = weights_hash(train_state.model)
    assert train_step(train_state, 0, images).loss.item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    assert weights_hash(train_state.model) != hash_before


def gradients_of_a_step(train_state: TrainState, images: torch.Tensor) -> torch.Tensor:
    """All gradients as the optimiser sees them, in one vector."""
    seen: list[torch.Tensor] = []

    def remember(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.extend(p.grad.flatten().clone() for p in optimizer.param_groups[0]["params"])

    train_state.optimizer.register_step_pre_hook(remember)
    train_step(train_state, 0, images)
    return torch.cat(seen)


@pytest.mark.parametrize("amp_dtype", [None, torch.float16])
def test_long_gradients_are_shortened_to_the_clip_norm(amp_dtype: torch.dtype | None) -> None:
    images = smooth_images()
    free = gradients_of_a_step(small_state(), images)
    clip_norm = free.norm().item() / 4
    clipped = gradients_of_a_step(small_state(amp_dtype, clip_norm=clip_norm), images)
    assert clipped.norm().item() == pytest.approx(clip_norm, rel=1e-3)
    assert torch.cosine_similarity(free, clipped, 0).item() == pytest.approx(1, abs=1e-3)
    untouched = gradients_of_a_step(small_state(clip_norm=free.norm().item() * 4), images)
    torch.testing.assert_close(untouched, free)


@pytest.mark.parametrize("amp_dtype", [None, torch.bfloat16])
def test_from_components_batchnorm_keeps_its_statistics(amp_dtype: torch.dtype | None) -> None:
    """A step then sees what evaluation sees, whatever else is in the batch."""
    train_state, images = small_state(amp_dtype, init="components"), smooth_images()
    start_from_components(train_state.model, [images])
    before = {name: tensor.clone() for name, tensor in train_state.model.state_dict().items()}
    x_NCHW = to_float(images)
    expected = (train_state.model.eval()(x_NCHW) - x_NCHW).square().mean().item()
    train_state.model.train()
    loss = train_step(train_state, 0, images).loss.item()
    assert loss == pytest.approx(expected, rel=1e-5 if amp_dtype is None else 2e-2)
    after = train_state.model.state_dict()
    for name, tensor in before.items():
        is_statistic = "running" in name or name.endswith("num_batches_tracked")
        assert torch.equal(after[name], tensor) == is_statistic, name


def test_parts_add_up_to_the_batch_from_components() -> None:
    images, gradients = smooth_images(8), []
    for accumulate in (1, 4):
        train_state = small_state(init="components", accumulate=accumulate)
        start_from_components(train_state.model, [images])
        gradients.append(gradients_of_a_step(train_state, images))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


def test_parts_add_up_to_the_batch_where_each_has_its_statistics() -> None:
    """Each face twice: halves then have the same means and variances as the whole."""
    half = smooth_images(4)
    images = torch.cat([half, half]).contiguous(memory_format=torch.channels_last)
    whole, parts = small_state(), small_state(accumulate=2)
    forwards = []
    parts.model.encoder.register_forward_hook(lambda _m, x, _y: forwards.append(len(x[0])))
    expected = gradients_of_a_step(whole, images)
    torch.testing.assert_close(gradients_of_a_step(parts, images), expected, rtol=1e-4, atol=1e-7)
    assert forwards == [4, 4]


def test_loss_of_parts_is_their_mean() -> None:
    images = smooth_images(8)
    losses = [
        train_step(small_state(), 0, images[first : first + 4]).loss.item() for first in (0, 4)
    ]
    mean = train_step(small_state(accumulate=2), 0, images).loss.item()
    assert mean == pytest.approx(sum(losses) / 2, rel=1e-6)


@pytest.mark.parametrize("total_steps", [1, 2, 9, 10, 11, 1000])
def test_learning_rate_rises_to_its_peak_and_falls_towards_zero(total_steps: int) -> None:
    rates = [learning_rate(step, total_steps, 2e-3) for step in range(total_steps)]
    assert all(0 < rate <= 2e-3 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if total_steps == 1000:
        assert peak == pytest.approx(100, abs=1)
        assert rates[0] == pytest.approx(2e-5)
        assert rates[peak] == pytest.approx(2e-3, rel=1e-3)
        assert rates[-1] < 1e-7


@pytest.mark.parametrize(
    ("options", "fixed"),
    [
        ({"init": "components"}, True),
        ({"init": "random"}, False),
        ({"init": "components", "model": "adversarial"}, False),
    ],
)
def test_only_buffers_that_no_step_changes_are_not_exchanged(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], fixed: bool
) -> None:
    asked: list[bool] = []
    real = Ranks.join

    def join(self: Ranks, network: nn.Module, device: torch.device, **given: bool) -> Any:
        asked.append(given.get("has_fixed_buffers", False))
        return real(self, network, device, **given)

    monkeypatch.setattr(Ranks, "join", join)
    train_state = small_state(**options)
    assert asked[0] == fixed
    assert not any(asked[1:]), "the discriminator's statistics change"
    before = {name: buffer.clone() for name, buffer in train_state.model.named_buffers()}
    train_step(train_state, 0, smooth_images())
    changed = any(not torch.equal(b, before[n]) for n, b in train_state.model.named_buffers())
    assert changed == (options["init"] == "random")
