"""Opening a run for the verbs that use it."""

from pathlib import Path

from faceae.runs import TrainedModel, load_trained
from faceae.training import Run

_LATENTS_NAME = "latents.safetensors"


def latents_path(run: Run) -> Path:
    """Return where `faceae fit` writes a run's latent distribution."""
    return run.path / _LATENTS_NAME


def load_source(run: Run, *, with_sampler: bool) -> TrainedModel:
    """Load a run's model, on the CPU, and if asked for the distribution new faces are drawn from.

    Raises:
        FaceaeError: a file is missing or damaged, or the distribution is that of other weights.
    """
    return load_trained(
        run.model_path,
        latents_path(run) if with_sampler else None,
        dataset_hash=run.dataset_hash,
        crop=run.crop,
    )
