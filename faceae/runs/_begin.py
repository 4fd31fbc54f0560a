"""A run that begins with the weights of another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._run import read_run


def begin_from_run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a training whose `init` may be the folder of another run.

    The folder is replaced by its best weights, and the other run's kind of model, image size,
    latent size and width are taken where `options` leave them open.

    Args:
        options: fields of TrainConfig.

    Raises:
        FaceaeError: there is no such file, the folder is no run, or the run has no weights yet.
    """
    init = options.get("init")
    if isinstance(init, Path) and not init.exists():
        raise FaceaeError(f"`init` {init}: no such file, nor the folder of a run")
    if not isinstance(init, Path) or not init.is_dir():
        return dict(options)
    other = read_run(init)
    if not other.model_path.is_file():
        raise FaceaeError(
            f"`init` {init}: the run has no weights yet (no {other.model_path.name}); wait for "
            "the end of its first epoch"
        )
    architecture = {
        "model": other.model.variant,
        "image_size": other.model.image_size,
        "latent_size": other.model.latent_size,
        "width": other.model.width,
    }
    return {**architecture, **options, "init": other.model_path}
