"""The model that is served: the parts of it that can run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from faceae.editing import Directions, load_known
from faceae.errors import FaceaeError
from faceae.latent import LatentReference, load_prior
from faceae.runs import open_run, read_run
from faceae_export import ExportInfo, Kind, Session, open_model, open_session

_RUN_PARTS: tuple[Kind, ...] = ("encoder", "decoder")
_WAYS: Mapping[str, tuple[tuple[Kind, ...], ...]] = {
    "generate": (("generator",),),
    "sample": (("sampler",),),
    "morph": (("encoder", "decoder"), ("morph",)),
    "reconstruct": (("autoencoder",), ("encoder", "decoder")),
    "edit": (("encoder", "decoder"),),
    "encode": (("encoder",),),
    "decode": (("decoder",),),
}
"""The parts that each task needs; any of its ways will do. `edit` needs directions too."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """The parts of a model, opened."""

    name: str
    sessions: Mapping[Kind, Session]
    directions: Directions | None = None
    """Changes of latents that change attributes. None: `faceae directions` has found none."""
    reference: LatentReference | None = None
    """The fitted distribution, which incoming latents are compared with. None: it is unknown."""

    @property
    def info(self) -> ExportInfo:
        """Metadata, which all parts share but for their kind."""
        return next(iter(self.sessions.values())).info

    @property
    def image_size(self) -> int:
        """Side of the faces in pixels."""
        return self.info.model.image_size

    @property
    def latent_size(self) -> int:
        """Numbers per latent vector."""
        return self.info.model.latent_size

    @property
    def engine(self) -> str:
        """Engine and device that compute, for a person to read."""
        return next(iter(self.sessions.values())).engine

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that the parts can do."""
        return tuple(
            task
            for task, ways in _WAYS.items()
            if any(self.sessions.keys() >= set(way) for way in ways)
            and (task != "edit" or self.directions is not None)
        )

    def warm_up(self) -> None:
        """Run every part once, on a single face, and open all that they would open later."""
        for session in self.sessions.values():
            prepare = getattr(session, "prepare", None)
            if prepare is not None:
                prepare()
            session.run(
                *(
                    np.ones([1 if isinstance(n, str) else n for n in port.shape], port.dtype)
                    for port in session.info.inputs
                )
            )


def open_served_model(path: Path, device: torch.device) -> ServedModel:
    """Open a run, or a file that `faceae export` wrote.

    A run draws new faces if its latents have been fitted, and edits faces if its directions have
    been found. A file does the tasks of its part.

    Raises:
        FaceaeError: `path` does not exist, cannot be opened on `device`, or is a part that no task
            uses.
    """
    if not path.exists():
        raise FaceaeError(f"{path}: does not exist; give a run's folder or an exported file")
    name = path.resolve().stem
    if not path.is_dir():
        session = open_session(path, device)
        model = ServedModel(name=name, sessions={session.info.kind: session})
        if not model.tasks:
            raise FaceaeError(
                f"{path}: no task uses the {session.info.kind}; give the run's folder"
            )
        return model
    trained = open_run(path)
    parts = _RUN_PARTS if trained.sampler is None else (*_RUN_PARTS, "generator", "sampler")
    sessions = {part: open_model(trained, part, device) for part in parts}
    weights_hash = sessions["encoder"].info.weights_hash
    run = read_run(path)
    reference = None
    if trained.sampler is not None:
        reference = LatentReference(load_prior(run.latents_path))
    return ServedModel(
        name=name,
        sessions=sessions,
        directions=load_known(run.directions_path, weights_hash),
        reference=reference,
    )
