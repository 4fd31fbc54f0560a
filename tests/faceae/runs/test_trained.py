"""A run's model and latents are loaded together, and must belong together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.latent import LatentDistribution
from faceae.model import FaceAutoEncoder, ModelConfig, save_model, weights_hash
from faceae.runs import TrainedModel, load_trained

LATENT_SIZE = 4


def save_run(folder: Path, *, fitted_on: str | None = None) -> tuple[Path, Path]:
    """Write a model and latents that were fitted on weights of that hash; None: on the model's."""
    model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=LATENT_SIZE, width=4)).eval()
    save_model(model, folder / "model.safetensors")
    LatentDistribution(
        mean=np.arange(LATENT_SIZE, dtype=np.float64),
        covariance=np.eye(LATENT_SIZE),
        count=9,
        weights_hash=fitted_on or weights_hash(model),
        dataset_hash="d",
    ).save(folder / "latents.safetensors")
    return folder / "model.safetensors", folder / "latents.safetensors"


def load(model_path: Path, latents_path: Path | None) -> TrainedModel:
    return load_trained(model_path, latents_path, dataset_hash="d", crop=160)


def test_model_and_sampler(tmp_path: Path) -> None:
    trained = load(*save_run(tmp_path))
    assert (trained.dataset_hash, trained.crop) == ("d", 160)
    assert not trained.model.training
    assert next(trained.model.parameters()).device == torch.device("cpu")
    assert trained.sampler is not None
    assert np.array_equal(trained.sampler.mean, np.arange(LATENT_SIZE, dtype=np.float32))


def test_without_latents_there_is_no_sampler(tmp_path: Path) -> None:
    model_path, _ = save_run(tmp_path)
    assert load(model_path, None).sampler is None


def test_latents_of_other_weights(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*`faceae fit`"):
        load(*save_run(tmp_path, fitted_on="of another model"))


def test_missing_latents(tmp_path: Path) -> None:
    model_path, latents_path = save_run(tmp_path)
    latents_path.unlink()
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*`faceae fit"):
        load(model_path, latents_path)
