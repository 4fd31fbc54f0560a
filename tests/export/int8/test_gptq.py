"""Weights rounded for their layer's sake before int8."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import faceae_export.int8._gptq
from faceae.runs import TrainedModel
from faceae_export.graph._network import Network
from faceae_export.int8._gptq import apply_gptq
from faceae_export.int8._smoothquant import smooth_network

STEPS = 64


def draw_latents(source: TrainedModel, count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, source.model.config.latent_size, generator=generator)


def make_decoder(source: TrainedModel) -> nn.Sequential:
    return smooth_network(Network.of(source.model), draw_latents(source, 64, 0)).decoder


def list_convs(decoder: nn.Sequential) -> list[nn.Conv2d]:
    return [conv for conv in decoder.modules() if isinstance(conv, nn.Conv2d)]


@torch.inference_mode()
def round_to_nearest(decoder: nn.Sequential) -> None:
    for conv in list_convs(decoder):
        step = conv.weight.abs().amax((1, 2, 3), keepdim=True) / STEPS
        conv.weight.copy_((conv.weight / step).round() * step)


@torch.inference_mode()
def test_weights_are_whole_steps_and_the_largest_stays(source: TrainedModel) -> None:
    decoder = make_decoder(source)
    before = [conv.weight.abs().amax((1, 2, 3)) for conv in list_convs(decoder)]
    apply_gptq(decoder, draw_latents(source, 64, 0))
    for conv, largest in zip(list_convs(decoder), before, strict=True):
        assert torch.equal(conv.weight.abs().amax((1, 2, 3)), largest)
        steps = conv.weight / (largest / STEPS)[:, None, None, None]
        torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)


@torch.inference_mode()
def test_closer_than_each_weight_to_its_nearest(source: TrainedModel) -> None:
    decoder, z_NZ = make_decoder(source), draw_latents(source, 32, 1)[:, :, None, None]
    rounded, nearest = copy.deepcopy(decoder), copy.deepcopy(decoder)
    apply_gptq(rounded, draw_latents(source, 64, 0))
    round_to_nearest(nearest)
    expected = decoder(z_NZ)
    error, error_of_nearest = (
        (other(z_NZ) - expected).square().mean() for other in (rounded, nearest)
    )
    assert 0 < error < 0.6 * error_of_nearest


@torch.inference_mode()
def test_large_maps_give_a_bounded_number_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faceae_export.int8._gptq, "_MAX_UNFOLDED", 256)
    monkeypatch.setattr(faceae_export.int8._gptq, "_MAX_PLACES", 100)
    laid_out: list[int] = []
    unfold = functional.unfold

    def watched(maps: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        laid_out.append(maps.shape[0] * maps.shape[2] * maps.shape[3])
        return unfold(maps, *args, **options)

    monkeypatch.setattr(functional, "unfold", watched)
    # Each value tells its place.
    maps = torch.arange(32.0 * 8 * 8).reshape(32, 1, 8, 8)
    places_MD = faceae_export.int8._gptq._take_places(nn.Conv2d(1, 1, 1), maps)
    assert laid_out == [256]
    assert places_MD.shape == (100, 1)
    assert len(places_MD.unique()) == 100
    assert {int(value) % 8 for value in places_MD} == set(range(8)), "every column"


@torch.inference_mode()
def test_a_channel_without_weights_and_maps_without_light(source: TrainedModel) -> None:
    decoder = make_decoder(source)
    conv = list_convs(decoder)[0]
    conv.weight[0] = 0
    decoder[0].get_submodule("1").product.weight.zero_()
    decoder[0].get_submodule("1").product.bias.fill_(-1)
    apply_gptq(decoder, draw_latents(source, 8, 0))
    assert (conv.weight[0] == 0).all()
    assert all(torch.isfinite(conv.weight).all() for conv in list_convs(decoder))
