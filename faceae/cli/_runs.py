"""A run, opened by the verbs that use it; imported by them when they run."""

from pathlib import Path

import torch

from faceae.latent import LatentDistribution, Sampler
from faceae.model import FaceAutoEncoder, load_model, weights_hash
from faceae.training import Run
from faceae_export import TrainedModel

_LATENTS_NAME = "latents.safetensors"


def latents_path(run: Run) -> Path:
    """Return where `faceae fit` writes a run's latent distribution."""
    return run.path / _LATENTS_NAME


def load_source(run: Run, *, with_sampler: bool) -> TrainedModel:
    """Load a run's model, on the CPU, and if asked for the distribution new faces are drawn from.

    Raises:
        FaceaeError: a file is missing or damaged, or the distribution is that of other weights.
    """
    model = load_model(run.model_path, torch.device("cpu"))
    sampler = _load_sampler(latents_path(run), model) if with_sampler else None
    return TrainedModel(model=model, dataset_hash=run.dataset_hash, crop=run.crop, sampler=sampler)


def _load_sampler(path: Path, model: FaceAutoEncoder) -> Sampler:
    distribution = LatentDistribution.load(path)
    distribution.check_weights(weights_hash(model), path)
    return Sampler(distribution)
