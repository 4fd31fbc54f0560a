"""GPTQ: whole steps, and a smaller error of the output."""

import copy

import pytest
import torch
from torch import nn

import faceae_export.int8._gptq
from faceae.runs import TrainedModel
from faceae_export.graph._network import Network
from faceae_export.int8._gptq import apply_gptq
from faceae_export.int8._smoothquant import smooth_network

STEPS = 64


def draw_latents(trained: TrainedModel, count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, trained.model.config.latent_size, generator=generator)


def make_decoder(trained: TrainedModel) -> nn.Sequential:
    return smooth_network(Network.of(trained.model), draw_latents(trained, 64, 0)).decoder


def list_convs(decoder: nn.Sequential) -> list[nn.Conv2d]:
    return [conv for conv in decoder.modules() if isinstance(conv, nn.Conv2d)]


@torch.inference_mode()
def round_to_nearest(decoder: nn.Sequential) -> None:
    for conv in list_convs(decoder):
        step = conv.weight.abs().amax((1, 2, 3), keepdim=True) / STEPS
        conv.weight.copy_((conv.weight / step).round() * step)


@torch.inference_mode()
def test_weights_are_whole_steps_and_the_largest_stays(trained: TrainedModel) -> None:
    decoder = make_decoder(trained)
    before = [conv.weight.abs().amax((1, 2, 3)) for conv in list_convs(decoder)]
    apply_gptq(decoder, draw_latents(trained, 64, 0))
    for conv, largest in zip(list_convs(decoder), before, strict=True):
        assert torch.equal(conv.weight.abs().amax((1, 2, 3)), largest)
        steps = conv.weight / (largest / STEPS)[:, None, None, None]
        torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)


def assert_closer_than_nearest(trained: TrainedModel) -> None:
    decoder, z_NZ = make_decoder(trained), draw_latents(trained, 32, 1)[:, :, None, None]
    rounded, nearest = copy.deepcopy(decoder), copy.deepcopy(decoder)
    apply_gptq(rounded, draw_latents(trained, 64, 0))
    round_to_nearest(nearest)
    expected = decoder(z_NZ)
    error, error_of_nearest = (
        (other(z_NZ) - expected).square().mean() for other in (rounded, nearest)
    )
    assert 0 < error < 0.6 * error_of_nearest


@torch.inference_mode()
def test_output_is_closer_than_with_each_weight_rounded_to_nearest(trained: TrainedModel) -> None:
    assert_closer_than_nearest(trained)


@torch.inference_mode()
def test_a_sample_of_the_patches_is_enough(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large pictures have more patches than are used. Smaller limits show the same here."""
    monkeypatch.setattr(faceae_export.int8._gptq, "_MAX_UNFOLDED", 2048)
    monkeypatch.setattr(faceae_export.int8._gptq, "_MAX_PATCHES", 500)
    assert_closer_than_nearest(trained)


@torch.inference_mode()
def test_a_channel_without_weights_and_maps_without_light(trained: TrainedModel) -> None:
    decoder = make_decoder(trained)
    conv = list_convs(decoder)[0]
    conv.weight[0] = 0
    decoder[0].get_submodule("1").product.weight.zero_()
    decoder[0].get_submodule("1").product.bias.fill_(-1)
    apply_gptq(decoder, draw_latents(trained, 8, 0))
    assert (conv.weight[0] == 0).all()
    assert all(torch.isfinite(conv.weight).all() for conv in list_convs(decoder))
