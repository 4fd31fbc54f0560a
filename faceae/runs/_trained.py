"""A trained model with everything that is needed to use it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from faceae.editing import Directions, load_known
from faceae.latent import Sampler, load_prior
from faceae.model import FaceAutoEncoder, load_model, weights_hash
from faceae_shards.faces import Place

from ._run import Run, read_run


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """A trained model, the sampler of its latents, and the data it was trained on."""

    model: FaceAutoEncoder
    """In evaluation mode, on the CPU."""
    dataset_hash: str
    """`faceae_shards.Dataset.hash` of the faces it was trained on."""
    crop: int | None
    """Side in pixels of the centre square that photographs are cut to before they are scaled to
    the model's size. None: they are only scaled."""
    aligned: bool | None = None
    """See `Run`."""
    place: Place | None = None
    """See `Run`."""
    sampler: Sampler | None
    """Draws latents of new faces. None: no prior of the latents was loaded."""
    directions: Directions | None = None
    """Changes of latents that change attributes. None: none were loaded."""

    @cached_property
    def weights_hash(self) -> str:
        """`faceae.model.weights_hash` of the model, computed once."""
        return weights_hash(self.model)


def open_run(
    run: Path | str | Run, *, latents: bool | None = None, directions: bool = False
) -> TrainedModel:
    """Load the best weights of a run, on the CPU, and the prior of its latents.

    Args:
        run: a run, or its folder.
        latents: whether to load the prior, without which the model cannot draw new faces.
            None: if `faceae fit` has written one.
        directions: whether to load the directions, if `faceae directions` has found some.

    Raises:
        FaceaeError: there is no run, a file is missing or damaged, or the prior or the
            directions belong to other weights.
    """
    if not isinstance(run, Run):
        run = read_run(Path(run))
    if latents is None:
        latents = run.latents_path.exists()
    model = load_model(run.model_path, torch.device("cpu"))
    sampler = _load_sampler(run.latents_path, model) if latents else None
    return TrainedModel(
        model=model,
        dataset_hash=run.dataset_hash,
        crop=run.crop,
        aligned=run.aligned,
        place=run.place,
        sampler=sampler,
        directions=load_known(run.directions_path, weights_hash(model)) if directions else None,
    )


def _load_sampler(path: Path, model: FaceAutoEncoder) -> Sampler:
    prior = load_prior(path)
    prior.check_weights(weights_hash(model), path)
    return prior.sampler()
