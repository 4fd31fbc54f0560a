"""A run's model and latents are loaded together, and must belong together."""

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.latent import NormalPrior, NormalSampler, save_prior
from faceae.model import FaceAutoEncoder, save_model, weights_hash
from faceae.runs import Run, open_run, write_run


@pytest.fixture
def fitted(run: Run) -> Run:
    """A run with its weights and fitted latents."""
    write_run(run)
    model = FaceAutoEncoder(run.model)
    save_model(model, run.model_path)
    save_latents(run, weights_hash(model))
    return run


def save_latents(run: Run, weights_hash: str) -> None:
    prior = NormalPrior(
        mean=np.arange(run.model.latent_size, dtype=np.float64),
        covariance=np.eye(run.model.latent_size),
        count=99,
        weights_hash=weights_hash,
        dataset_hash="abc",
    )
    save_prior(prior, run.latents_path)


@pytest.mark.parametrize("latents", [True, None])
def test_model_and_sampler(fitted: Run, latents: bool | None) -> None:
    trained = open_run(str(fitted.path), latents=latents)
    assert (trained.dataset_hash, trained.crop) == (fitted.dataset_hash, fitted.crop)
    assert not trained.model.training
    assert next(trained.model.parameters()).device == torch.device("cpu")
    assert isinstance(trained.sampler, NormalSampler)
    assert np.array_equal(trained.sampler.mean, np.arange(16, dtype=np.float32))


def test_without_latents_there_is_no_sampler(fitted: Run) -> None:
    assert open_run(fitted, latents=False).sampler is None
    fitted.latents_path.unlink()
    assert open_run(fitted).sampler is None


def test_latents_of_other_weights(fitted: Run) -> None:
    save_latents(fitted, "of another model")
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*`faceae fit`"):
        open_run(fitted)


def test_missing_latents(fitted: Run) -> None:
    fitted.latents_path.unlink()
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*`faceae fit"):
        open_run(fitted, latents=True)
