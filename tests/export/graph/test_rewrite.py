"""The rewritten network computes the same as the network it was made of."""

import copy

import pytest
import torch
from torch import nn

from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export.graph._network import Network, split_layers
from faceae_export.graph._rewrite import rewrite_decoder, rewrite_encoder, rewrite_network

MAX_ERROR = 1e-5
CONFIGS = [
    ModelConfig(),
    ModelConfig(image_size=32, latent_size=1, width=1),
    ModelConfig(image_size=32, latent_size=33, width=17),
    ModelConfig(image_size=64, latent_size=1024, width=8),
    ModelConfig(image_size=128, latent_size=8, width=4),
]


def make_decoder(config: ModelConfig, trained_like: bool) -> nn.Sequential:
    """A fresh decoder, or one with uneven BatchNorms that have seen 256 latents."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        decoder = FaceAutoEncoder(config).decoder
        if trained_like:
            for layer in decoder:
                if isinstance(layer, nn.BatchNorm2d):
                    nn.init.normal_(layer.weight, mean=1, std=0.2)
                    nn.init.normal_(layer.bias, std=0.2)
                    layer.momentum = None
            nn.init.normal_(decoder.get_parameter(f"{len(decoder) - 2}.weight"), std=0.05)
            nn.init.normal_(decoder.get_parameter(f"{len(decoder) - 2}.bias"), std=0.2)
            decoder.train()(torch.randn(256, config.latent_size, 1, 1))
    return decoder.eval()


def make_network(config: ModelConfig, num_steps: int) -> Network:
    """A network after some steps of training, which move its BatchNorms too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(config)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(num_steps):
            images_NCHW = torch.rand(8, 3, config.image_size, config.image_size) * 2 - 1
            loss = nn.functional.mse_loss(model(images_NCHW), images_NCHW)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return Network.of(model.eval())


def make_latents(config: ModelConfig, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, config.latent_size, 1, 1, generator=generator)


@pytest.mark.parametrize("trained_like", [False, True])
@pytest.mark.parametrize(
    "config", CONFIGS, ids=lambda config: f"{config.image_size}px-{config.width}"
)
@torch.inference_mode()
def test_rewritten_decoder_computes_the_same(config: ModelConfig, trained_like: bool) -> None:
    decoder = make_decoder(config, trained_like)
    rewritten = rewrite_decoder(split_layers(decoder))
    num_faces = 100 if config == ModelConfig() else 1000
    for z_NZ11 in make_latents(config, num_faces).split(50):
        expected = decoder(z_NZ11)
        assert (rewritten(z_NZ11) - expected).abs().max() <= MAX_ERROR
    # Faces that are nearly grey would agree whatever is done to them.
    assert expected.std() > (0.1 if trained_like else 0.01)


@pytest.mark.parametrize(
    "config", CONFIGS[1:], ids=lambda config: f"{config.image_size}px-{config.width}"
)
@torch.inference_mode()
def test_equal_to_the_last_bits_in_float64(config: ModelConfig) -> None:
    """What differs in float32 is rounding and nothing else."""
    decoder = make_decoder(config, trained_like=True)
    rewritten = rewrite_decoder(split_layers(decoder))
    for name, parameter in rewritten.named_parameters():
        assert parameter.dtype == torch.float32, name
    z_NZ11 = make_latents(config, 10).double()
    error = (rewritten.double()(z_NZ11) - decoder.double()(z_NZ11)).abs().max()
    assert error < 1e-6  # the weights were rounded to float32 once


@pytest.mark.parametrize("num_steps", [0, 5])
@pytest.mark.parametrize(
    "config", CONFIGS[1:], ids=lambda config: f"{config.image_size}px-{config.width}"
)
def test_rewritten_encoder_computes_the_same(config: ModelConfig, num_steps: int) -> None:
    network = make_network(config, num_steps)
    encoder = rewrite_encoder(network.encoder)
    generator = torch.Generator().manual_seed(1)
    size = (config.image_size, config.image_size)
    with torch.inference_mode():
        for _ in range(20):
            faces_NCHW = torch.rand(50, 3, *size, generator=generator) * 2 - 1
            expected = network.encoder(faces_NCHW)
            # A fresh encoder's latents are so small that they would agree whatever is done to them.
            limit = MAX_ERROR * expected.abs().max().clamp(max=1)
            assert (encoder(faces_NCHW) - expected).abs().max() <= limit


@pytest.mark.parametrize("num_steps", [0, 5])
def test_both_halves_of_a_trained_network(num_steps: int) -> None:
    network = make_network(CONFIGS[2], num_steps)
    rewritten = rewrite_network(network)
    with torch.inference_mode():
        for z_NZ11 in make_latents(CONFIGS[2], 1000).split(50):
            expected = network.decoder(z_NZ11)
            assert (rewritten.decoder(z_NZ11) - expected).abs().max() <= MAX_ERROR
            error = (rewritten.encoder(expected) - network.encoder(expected)).abs().max()
            assert error <= MAX_ERROR


@torch.inference_mode()
def test_layers_are_those_of_the_decoder(trained: TrainedModel) -> None:
    layers = split_layers(trained.model.decoder)
    expected = found = torch.randn(3, 16, 1, 1)
    for layer, rewritten in zip(
        layers, rewrite_decoder(split_layers(trained.model.decoder)), strict=True
    ):
        assert isinstance(layer[0], nn.ConvTranspose2d)
        expected, found = layer(expected), rewritten(found)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_encoder_has_no_batch_norm_left(trained: TrainedModel) -> None:
    layers = rewrite_network(Network.of(trained.model)).encoder
    assert [type(module) for layer in layers for module in layer] == [nn.Conv2d, nn.LeakyReLU] * 4


def test_only_plain_convolutions_are_left(trained: TrainedModel) -> None:
    modules = list(rewrite_decoder(split_layers(trained.model.decoder)).modules())
    assert not any(isinstance(module, nn.ConvTranspose2d | nn.BatchNorm2d) for module in modules)
    kernels = {module.kernel_size for module in modules if isinstance(module, nn.Conv2d)}
    assert kernels == {(2, 2)}


def test_maps_stay_channels_last(trained: TrainedModel) -> None:
    """torch converts back and forth in every layer otherwise."""
    maps = torch.randn(2, 16, 1, 1)
    for layer in rewrite_decoder(split_layers(trained.model.decoder)):
        maps = layer(maps)
        assert maps.is_contiguous(memory_format=torch.channels_last)


def test_rewriting_leaves_the_model_as_it_was(trained: TrainedModel) -> None:
    before = copy.deepcopy(trained.model.state_dict())
    rewritten = rewrite_network(Network.of(trained.model))
    for half in (rewritten.encoder, rewritten.decoder):
        for parameter in half.parameters():
            nn.init.zeros_(parameter)
    after = trained.model.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
