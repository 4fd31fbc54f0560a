"""The shards of `faceae generate`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceae_export import FaceGenerator, describe_faces
from faceae_shards import GeneratedConfig, Location, pack_generated

from ._generators import open_on_one_core
from ._progress import show_image_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from faceae_export import EngineName, Session


def write_shards(
    out: Location,
    numbers: range,
    model: Path,
    engine: "EngineName | None",
    session: "Session",
    faces: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Write faces as a dataset, or go on with one.

    Args:
        model, engine: what `session` was opened from, to be opened again elsewhere.
        faces: seed, truncation and batch_size.
        options: of the command, about shards.

    Raises:
        ShardsError, FaceaeError: OUT holds something else, or a machine of the cluster is not like
            this one.
    """
    on_ray = options["executor"] == "ray"
    opener: Callable[[], Session]
    opener = partial(open_on_one_core, model.absolute(), engine) if on_ray else lambda: session
    described = describe_faces(session)
    config = GeneratedConfig(
        out=out.absolute() if isinstance(out, Path) else out,
        numbers=numbers,
        image_size=session.info.model.image_size,
        crop=session.info.crop,
        generator=f"generator {session.info.weights_hash[:12]}",
        depends_on={"seed": faces["seed"], "truncation": faces["truncation"], **described},
        samples_per_shard=options["samples_per_shard"],
        executor=options["executor"],
        address=options["address"],
        needs=(model.absolute(),),
    )
    generator = FaceGenerator(open=opener, described=described if on_ray else None, **faces)
    with show_image_progress("generate") as show:
        pack_generated(config, generator, show)
