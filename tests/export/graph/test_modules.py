"""The exported modules compute what the model does, pixels and sampling included."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from faceae.errors import FaceaeError
from faceae.latent import interpolate, latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig, to_float, to_uint8
from faceae.runs import TrainedModel
from faceae_export import Kind
from faceae_export.graph import build_module
from faceae_export.graph._network import Network
from faceae_export.graph._rewrite import rewrite_network


def build(trained: TrainedModel, kind: Kind) -> nn.Module:
    return build_module(trained, kind, Network.of(trained.model))


def make_images(count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, 32, 32, 3), np.uint8))


def encode(trained: TrainedModel, images_NHWC: torch.Tensor) -> torch.Tensor:
    return trained.model.encode(to_float(images_NHWC.permute(0, 3, 1, 2)))


def decode(trained: TrainedModel, z_NZ: torch.Tensor) -> torch.Tensor:
    """Pictures, N x S x S x 3 uint8."""
    return to_uint8(trained.model.decode(z_NZ)).permute(0, 2, 3, 1)


@torch.inference_mode()
def test_decoder_is_the_models(trained: TrainedModel) -> None:
    z_NZ = torch.from_numpy(latent_noise(0, 0, 5, 16))
    assert torch.equal(build(trained, "decoder")(z_NZ), trained.model.decode(z_NZ))


@pytest.mark.parametrize("truncation", [1.0, 0.5, 0.0])
@torch.inference_mode()
def test_generator_samples_decodes_and_makes_pixels(
    trained: TrainedModel, truncation: float
) -> None:
    assert trained.sampler is not None
    noise = latent_noise(0, 0, 5, 16)
    faces = build(trained, "generator")(torch.from_numpy(noise), torch.tensor(truncation))
    expected = decode(trained, torch.from_numpy(trained.sampler.latents(noise, truncation)))
    assert (faces.shape, faces.dtype) == ((5, 32, 32, 3), torch.uint8)
    assert (faces.int() - expected.int()).abs().max() <= 1
    assert faces.float().std() > 10


@torch.inference_mode()
def test_generator_with_a_truncation_a_face(trained: TrainedModel) -> None:
    generator, noise = build(trained, "generator"), torch.from_numpy(latent_noise(0, 0, 2, 16))
    faces = generator(noise, torch.tensor([[1.0], [0.5]]))
    for row, truncation in enumerate((1.0, 0.5)):
        expected = generator(noise, torch.tensor(truncation))[row]
        assert (faces[row].int() - expected.int()).abs().max() <= 1


@torch.inference_mode()
def test_encoder_takes_pictures(trained: TrainedModel) -> None:
    images_NHWC = make_images(5)
    assert torch.equal(build(trained, "encoder")(images_NHWC), encode(trained, images_NHWC))


@torch.inference_mode()
def test_encoder_of_a_variational_model_gives_the_means() -> None:
    config = ModelConfig(image_size=32, latent_size=16, width=8, variant="variational")
    model = FaceAutoEncoder(config).eval()
    variational = TrainedModel(model=model, dataset_hash="", crop=None, sampler=None)
    images_NHWC = make_images(5)
    expected, _ = model.encode_distribution(to_float(images_NHWC.permute(0, 3, 1, 2)))
    rewritten = rewrite_network(Network.of(model))
    for network in (Network.of(model), rewritten):
        found = build_module(variational, "encoder", network)(images_NHWC)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert (expected < 0).any()


@torch.inference_mode()
def test_autoencoder_is_both(trained: TrainedModel) -> None:
    images_NHWC = make_images(5)
    expected = decode(trained, encode(trained, images_NHWC))
    assert torch.equal(build(trained, "autoencoder")(images_NHWC), expected)


@pytest.mark.parametrize("steps", [2, 3, 20])
@torch.inference_mode()
def test_morph_is_the_line_between_two_latents(trained: TrainedModel, steps: int) -> None:
    images_NHWC = make_images(2)
    frames = build(trained, "morph")(images_NHWC, torch.tensor(steps))
    ends_2Z = encode(trained, images_NHWC).numpy()
    expected = decode(trained, torch.from_numpy(interpolate(ends_2Z, steps)))
    assert frames.shape == expected.shape
    assert (frames.int() - expected.int()).abs().max() <= 1
    assert (frames[0].int() - frames[-1].int()).abs().max() > 10


@torch.inference_mode()
def test_morph_of_one_frame_is_the_first_face(trained: TrainedModel) -> None:
    images_NHWC = make_images(2)
    frames = build(trained, "morph")(images_NHWC, torch.tensor([1]))
    expected = build(trained, "autoencoder")(images_NHWC[:1])
    assert frames.shape == expected.shape
    assert (frames.int() - expected.int()).abs().max() <= 1


def test_generator_without_fitted_latents(trained: TrainedModel) -> None:
    unfitted = TrainedModel(model=trained.model, dataset_hash="", crop=None, sampler=None)
    with pytest.raises(FaceaeError, match="run `faceae fit` first"):
        build(unfitted, "generator")


@torch.inference_mode()
def test_sampler_and_decoder_are_the_generator(trained: TrainedModel) -> None:
    noise_NZ, truncation = torch.from_numpy(latent_noise(0, 0, 5, 16)), torch.tensor(0.8)
    z_NZ = build(trained, "sampler")(noise_NZ, truncation)
    assert torch.equal(decode(trained, z_NZ), build(trained, "generator")(noise_NZ, truncation))


@torch.inference_mode()
def test_editors_add_each_direction_times_its_strength(trained: TrainedModel) -> None:
    assert trained.directions is not None
    images_NHWC = make_images(5)
    z_NZ = encode(trained, images_NHWC)
    strengths_NK = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, -1.5], [1.0, 1.0], [-3.0, 2.0]])
    changes = [
        trained.directions.change({"Smiling": smiling, "Young": young})
        for smiling, young in strengths_NK.tolist()
    ]
    expected = decode(trained, z_NZ + torch.from_numpy(np.stack(changes)))
    for found in (
        build(trained, "editor")(images_NHWC, strengths_NK),
        build(trained, "latent-editor")(z_NZ, strengths_NK),
    ):
        assert (found.int() - expected.int()).abs().max() <= 1
        assert torch.equal(found[0], build(trained, "autoencoder")(images_NHWC)[0])


def test_editor_without_directions(trained: TrainedModel) -> None:
    with pytest.raises(FaceaeError, match="run `faceae directions RUN DATA` first"):
        build(replace(trained, directions=None), "editor")
