"""Open a generator of new faces, from a run or from an exported file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel, open_run

from ..sessions import Session
from ._auto import EngineChoice, open_fastest
from ._engines import EngineName
from ._open import open_model, open_session


@dataclass(frozen=True, kw_only=True)
class OpenedGenerator:
    """A generator that is ready to run, and the arguments that open it again."""

    session: Session
    model: Path
    """A run's folder or an exported generator."""
    engine: EngineName | None
    """Engine to open `model` in. None: the default engine."""
    choice: EngineChoice | None
    """Measurements that `engine` was chosen by. None: the engine was not measured."""


def open_generator(
    model: Path, device: torch.device, engine: EngineName | Literal["auto"] | None = None
) -> OpenedGenerator:
    """Open a run, or an exported generator, on `device`.

    Args:
        model: a run's folder, whose latents have been fitted, or an exported generator.
        engine: "auto" measures which engine is the fastest. None: torch for a run, the default
            engine of the format for a file.

    Raises:
        FaceaeError: `model` does not exist, is not a generator, or cannot be opened on `device` in
            this engine.
    """
    loaded = _load(model)
    choice = None
    if engine == "auto":
        choice = open_fastest(loaded, "generator", device)
        engine, session = choice.engine, choice.session
    elif isinstance(loaded, Path):
        session = open_session(loaded, device, engine)
    else:
        session = open_model(loaded, "generator", device, engine or "torch")
    _check_kind(model, session)
    return OpenedGenerator(session=session, model=model, engine=engine, choice=choice)


def _load(model: Path) -> TrainedModel | Path:
    """Load a run; return the path of a file as it is."""
    if not model.exists():
        raise FaceaeError(f"{model}: does not exist; give a run's folder or an exported generator")
    return open_run(model, latents=True) if model.is_dir() else model


def _check_kind(model: Path, session: Session) -> None:
    if session.info.kind != "generator":
        raise FaceaeError(
            f"{model}: is a {session.info.kind}, which cannot draw new faces; give a run's folder "
            "or an exported generator"
        )
