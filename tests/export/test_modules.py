import pytest
import torch

from export import ExportSource
from faceae.errors import FaceaeError
from faceae.latent import latent_noise
from faceae.model import to_uint8


def test_decoder_is_the_models(source: ExportSource) -> None:
    z_NZ = torch.from_numpy(latent_noise(0, 0, 5, 16))
    module = source.build("decoder", source.model.decoder)
    with torch.inference_mode():
        assert torch.equal(module(z_NZ), source.model.decode(z_NZ))


def test_generator_samples_decodes_and_makes_pixels(source: ExportSource) -> None:
    assert source.sampler is not None
    noise = latent_noise(0, 0, 5, 16)
    module = source.build("generator", source.model.decoder)
    with torch.inference_mode():
        faces = module(torch.from_numpy(noise))
        z_NZ = torch.from_numpy(source.sampler.latents(noise))
        expected = to_uint8(source.model.decode(z_NZ)).permute(0, 2, 3, 1)
    assert (faces.shape, faces.dtype) == ((5, 32, 32, 3), torch.uint8)
    assert (faces.int() - expected.int()).abs().max() <= 1
    assert faces.float().std() > 10


def test_generator_of_truncated_noise_gives_truncated_faces(source: ExportSource) -> None:
    assert source.sampler is not None
    noise = torch.from_numpy(latent_noise(0, 0, 5, 16))
    module = source.build("generator", source.model.decoder)
    with torch.inference_mode():
        faces = module(noise * 0.5)
        z_NZ = torch.from_numpy(source.sampler.latents(noise.numpy(), truncation=0.5))
        expected = to_uint8(source.model.decode(z_NZ)).permute(0, 2, 3, 1)
    assert (faces.int() - expected.int()).abs().max() <= 1


def test_generator_without_fitted_latents(source: ExportSource) -> None:
    unfitted = ExportSource(model=source.model, dataset_hash="", sampler=None)
    with pytest.raises(FaceaeError, match="run `faceae fit` first"):
        unfitted.build("generator", source.model.decoder)
