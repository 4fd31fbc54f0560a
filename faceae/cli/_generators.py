"""Generators, opened by `faceae generate` here and on other machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae.errors import FaceaeError

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae.runs import TrainedModel
    from faceae_export import EngineName, Session


def open_chosen(
    model: Path, device: "DeviceName", engine: "EngineName | Literal['auto'] | None"
) -> "tuple[Session, EngineName | None]":
    """Open a generator, for `auto` in the engine that is measured to be the fastest, and say so.

    Returns the session and the engine to ask for to get the same again.
    """
    from faceae.device import resolve_device
    from faceae_export import open_fastest

    if engine != "auto":
        return open_generator(model, device, engine), engine
    choice = open_fastest(_load(model), "generator", resolve_device(device))
    _check_kind(model, choice.session)
    click.echo(f"--engine auto takes {choice}", err=True)
    return choice.session, choice.engine


def open_generator(model: Path, device: "DeviceName", engine: "EngineName | None") -> "Session":
    """Open a run, or an exported generator.

    Args:
        engine: by default torch for a run, and the usual one for a file.

    Raises:
        FaceaeError: nothing of the kind is at `model`, or it cannot be opened like that.
    """
    from faceae.device import resolve_device
    from faceae_export import open_model, open_session

    on_device = resolve_device(device)
    found = _load(model)
    if not isinstance(found, Path):
        return open_model(found, "generator", on_device, engine or "torch")
    session = open_session(found, on_device, engine)
    _check_kind(found, session)
    return session


def open_on_one_core(model: Path, engine: "EngineName | None") -> "Session":
    """Open a generator on one core, as a task on a cluster does."""
    from faceae.device import use_threads

    use_threads(1)
    return open_generator(model, "cpu", engine)


def _load(model: Path) -> "TrainedModel | Path":
    """Load a run; leave a file to those who open it."""
    from faceae.runs import open_run

    if not model.exists():
        raise FaceaeError(f"{model}: does not exist; give a run's folder or an exported generator")
    return open_run(model, latents=True) if model.is_dir() else model


def _check_kind(model: Path, session: "Session") -> None:
    if session.info.kind != "generator":
        raise FaceaeError(
            f"{model}: is a {session.info.kind}, which cannot draw new faces; export the "
            "generator: faceae export onnx RUN OUT --part generator"
        )
