"""One pass over the faces measures the latents, in full float32."""

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.latent import NormalPrior, fit_latents, measure_latents
from faceae.model import FaceAutoEncoder, ModelConfig, to_float, weights_hash


def test_measure_latents_counts_each_valid_face_once() -> None:
    torch.manual_seed(0)
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=8, width=4)).eval()
    images = torch.randint(0, 256, (10, 3, 32, 32), dtype=torch.uint8)
    padding = images[:2]
    batches = [(images[:6], 6), (torch.cat([images[6:], padding]), 4), (padding, 0)]
    found = measure_latents(model, batches).normal_prior(weights_hash="", dataset_hash="")
    with torch.inference_mode():
        z_NZ = model.encode(to_float(images)).double().numpy()
    assert found.count == 10
    np.testing.assert_allclose(found.mean, z_NZ.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(z_NZ.T), atol=1e-6)


def test_measure_latents_in_float32_and_no_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=8, width=4)).eval()
    seen = []
    model.encoder.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    measure_latents(model, [(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), 2)])
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32


def test_fit_latents_of_a_split(dataset_npy: faceae_shards.Dataset) -> None:
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=8, width=4)).eval()
    seen = []
    fitted = fit_latents(
        model,
        dataset_npy,
        split="valid",
        batch_size=5,
        loader="webdataset",
        on_images=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(5, 12), (10, 12), (12, 12)]
    assert fitted is not None
    distribution = fitted.prior
    assert isinstance(distribution, NormalPrior)
    assert (distribution.count, distribution.mean.shape) == (12, (8,))
    assert distribution.weights_hash == weights_hash(model)
    assert distribution.dataset_hash == dataset_npy.hash
    assert fitted.reader.startswith("webdataset")
