"""The network: keys, shapes, sizes, memory format and first weights."""

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, ModelConfig

BATCH_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")
CONVOLUTIONS = {
    "encoder.0.weight": (64, 3, 4, 4),
    "encoder.2.weight": (128, 64, 4, 4),
    "encoder.5.weight": (256, 128, 4, 4),
    "encoder.8.weight": (512, 256, 4, 4),
    "encoder.11.weight": (1024, 512, 4, 4),
    "decoder.0.weight": (1024, 512, 4, 4),
    "decoder.3.weight": (512, 256, 4, 4),
    "decoder.6.weight": (256, 128, 4, 4),
    "decoder.9.weight": (128, 64, 4, 4),
    "decoder.12.weight": (64, 3, 4, 4),
    "decoder.12.bias": (3,),
}
BATCH_NORMS = {
    "encoder.3": 128,
    "encoder.6": 256,
    "encoder.9": 512,
    "decoder.1": 512,
    "decoder.4": 256,
    "decoder.7": 128,
    "decoder.10": 64,
}


def tutorial_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = dict(CONVOLUTIONS)
    for layer, channels in BATCH_NORMS.items():
        shapes |= {f"{layer}.{name}": (channels,) for name in BATCH_NORM_TENSORS}
        shapes[f"{layer}.num_batches_tracked"] = ()
    return shapes


def test_keys_and_shapes_at_64_pixels_are_those_of_the_tutorial_script() -> None:
    with torch.device("meta"):
        model = FaceAutoEncoder(ModelConfig())
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == tutorial_shapes()


@pytest.mark.parametrize("image_size", [32, 64, 128, 256])
def test_every_image_size_encodes_and_decodes(image_size: int) -> None:
    config = ModelConfig(image_size=image_size, latent_size=16, width=4)
    model = FaceAutoEncoder(config).eval()
    images = torch.rand(2, 3, image_size, image_size) * 2 - 1
    z_NZ = model.encode(images)
    assert z_NZ.shape == (2, 16)
    faces = model.decode(z_NZ)
    assert faces.shape == images.shape
    assert faces.abs().max() <= 1.0
    assert torch.equal(model(images), faces)


def test_channels_stop_doubling_at_eight_times_the_width() -> None:
    with torch.device("meta"):
        model = FaceAutoEncoder(ModelConfig(image_size=256, width=4))
    convolutions = [layer for layer in model.encoder if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [4, 8, 16, 32, 32, 32, 1024]


def test_channels_last_images_stay_so_inside() -> None:
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=8))
    model.to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 32, 32).to(memory_format=torch.channels_last)
    activation = model.encoder[:4](images)
    assert activation.is_contiguous(memory_format=torch.channels_last)
    assert not activation.is_contiguous()
    assert model(images).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_size", 16),
        ("image_size", 96),
        ("image_size", 512),
        ("latent_size", 0),
        ("latent_size", 1_000_000),
        ("width", 0),
        ("width", 100_000),
    ],
)
def test_config_rejects_what_no_network_can_be_built_with(field: str, value: int) -> None:
    with pytest.raises(FaceaeError, match=f"`{field}` must be .* got {value}"):
        ModelConfig(**{field: value})


def test_convolutions_start_as_dcgans_do() -> None:
    torch.manual_seed(0)
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=64, width=16))
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            assert layer.weight.mean().item() == pytest.approx(0.0, abs=3e-3)
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_variational_encoder_has_the_plain_ones_keys_and_gives_latents_of_any_sign() -> None:
    plain = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=64, width=16))
    config = ModelConfig(image_size=32, latent_size=64, width=16, variant="variational")
    variational = FaceAutoEncoder(config)
    assert variational.encoder.state_dict().keys() == plain.encoder.state_dict().keys()
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    mean, log_variance = variational.encode_distribution(images)
    assert mean.shape == log_variance.shape == (4, 64)
    torch.testing.assert_close(variational.encode(images), mean)
    # A LeakyReLU would have made what is below zero five times as short.
    assert mean.min().abs() > 0.5 * mean.max()
