"""SmoothQuant: the same faces from more even channels."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_export._export
from faceae.latent import LatentMoments, NormalSampler
from faceae.runs import TrainedModel
from faceae_export import export_model
from faceae_export.graph._network import Network
from faceae_export.graph._rewrite import rewrite_network
from faceae_export.int8._smoothquant import smooth_network

CPU = torch.device("cpu")
LATENT_SIZE = 16


def make_uneven_latents(count: int) -> torch.Tensor:
    """Latents of which one is large, one tiny and one always 0."""
    z_NZ = torch.randn(count, LATENT_SIZE, generator=torch.Generator().manual_seed(1))
    z_NZ[:, 0] *= 100
    z_NZ[:, 1] /= 100
    z_NZ[:, 2] = 0
    return z_NZ


def copy_network(trained: TrainedModel) -> Network:
    return Network.of(copy.deepcopy(trained.model))


def make_dead_channel(trained: TrainedModel) -> Network:
    """A network of which one map is 0 everywhere, and one latent is not read."""
    network = copy_network(trained)
    with torch.no_grad():
        network.decoder[0][1].weight[0] = 0
        network.decoder[0][1].bias[0] = -1
        network.decoder[0][0].weight[3] = 0
    return network


@torch.inference_mode()
@pytest.mark.parametrize("make", [copy_network, make_dead_channel])
def test_smoothed_network_computes_the_same(
    trained: TrainedModel, make: Callable[[TrainedModel], Network]
) -> None:
    network = make(trained)
    smoothed = smooth_network(network, make_uneven_latents(64))
    z_NZ11 = make_uneven_latents(32)[:, :, None, None] / 30
    expected = network.decoder(z_NZ11)
    assert expected.std() > 0.1
    torch.testing.assert_close(smoothed.decoder(z_NZ11), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_channels_become_more_even(trained: TrainedModel) -> None:
    z_NZ = make_uneven_latents(64)
    smoothed = smooth_network(Network.of(trained.model), z_NZ).decoder
    divided = smoothed[0].get_submodule("0")(z_NZ[:, :, None, None]).abs().amax((0, 2, 3))
    before = z_NZ.abs().amax(0)
    assert divided[0] / divided[1] < 0.1 * before[0] / before[1]


@torch.inference_mode()
def test_the_mean_is_a_bias_and_takes_no_steps(trained: TrainedModel) -> None:
    z_NZ = make_uneven_latents(64)
    z_NZ[:, 2] = 7
    moved = z_NZ + 50 * z_NZ.std(0)
    smoothed = smooth_network(Network.of(trained.model), moved).decoder
    divided = smoothed[0].get_submodule("0")(moved[:, :, None, None])
    torch.testing.assert_close(divided.mean(0), torch.zeros(LATENT_SIZE, 1, 1), atol=1e-3, rtol=0)
    assert (smoothed[0].get_submodule("1").product.weight[:, 2] == 0).all()
    expected = trained.model.eval().decode(moved)
    torch.testing.assert_close(smoothed(moved[:, :, None, None]), expected, atol=1e-3, rtol=0)


def test_the_model_stays_as_it_was(trained: TrainedModel) -> None:
    before = {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}
    smooth_network(Network.of(trained.model), make_uneven_latents(8))
    after = trained.model.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_a_few_large_latents_do_not_blur_the_others(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = LatentMoments(LATENT_SIZE)
    scales = np.where(np.arange(LATENT_SIZE) == 0, 30, 1) / 4
    moments.update(np.random.default_rng(0).normal(size=(500, LATENT_SIZE)) * scales)
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    model = copy.deepcopy(trained.model)
    with torch.no_grad():
        model.decoder[0].weight[0] /= 30
    uneven = replace(trained, model=model, sampler=sampler)

    def find_psnr(name: str) -> float:
        report = export_model(
            uneven, "onnx", "decoder", tmp_path / name, CPU, precision="int8", force=True
        )
        assert report.parity.psnr_db is not None
        return report.parity.psnr_db

    smoothed = find_psnr("smoothed.onnx")
    monkeypatch.setattr(
        faceae_export._export, "smooth_network", lambda network, _: rewrite_network(network)
    )
    assert smoothed > find_psnr("not.onnx") + 3
