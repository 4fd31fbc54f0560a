"""A trained model with everything that is needed to use it."""

from dataclasses import dataclass
from pathlib import Path

import torch

from faceae.latent import LatentDistribution, Sampler
from faceae.model import FaceAutoEncoder, load_model, weights_hash


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """A trained model, the distribution of its latents, and the data it was trained on."""

    model: FaceAutoEncoder
    """In evaluation mode, on the CPU."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces it was trained on."""
    crop: int | None
    """Side in pixels of the centre square that photographs are cut to before they are scaled to
    the model's size. None: they are only scaled."""
    sampler: Sampler | None
    """Draws latents of new faces. None: the latents have not been fitted."""


def load_trained(
    model_path: Path, latents_path: Path | None, *, dataset_hash: str, crop: int | None
) -> TrainedModel:
    """Load a model, on the CPU, and the distribution of its latents.

    Args:
        model_path: a run's `model.safetensors`.
        latents_path: a run's `latents.safetensors`. None: load no distribution, so that the model
            cannot draw new faces.
        dataset_hash: `faceae_shards.Dataset.hash` of the faces the model was trained on.
        crop: side in pixels of the centre square these faces were cut to. None: they were not.

    Raises:
        FaceaeError: a file is missing or damaged, or the distribution was fitted on other weights.
    """
    model = load_model(model_path, torch.device("cpu"))
    sampler = None if latents_path is None else _load_sampler(latents_path, model)
    return TrainedModel(model=model, dataset_hash=dataset_hash, crop=crop, sampler=sampler)


def _load_sampler(path: Path, model: FaceAutoEncoder) -> Sampler:
    distribution = LatentDistribution.load(path)
    distribution.check_weights(weights_hash(model), path)
    return Sampler(distribution)
