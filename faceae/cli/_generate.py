"""faceae generate."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np

from faceae.errors import FaceaeError
from faceae.pictures import (
    PICTURE_FORMATS,
    check_grid_size,
    check_new_folder,
    save_array,
    save_folder,
    save_grid,
)

from ._outputs import check_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from numpy.typing import NDArray

    from export import Session
    from faceae.device import DeviceName

Form = Literal["grid", "array", "folder"]

_ARRAY_SUFFIX = ".npy"


def _check_finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), metavar="N", default=64, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True)
@click.option(
    "--start",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Number of the first face.",
)
@click.option(
    "--truncation",
    type=click.FloatRange(min=0),
    callback=_check_finite,
    default=1.0,
    show_default=True,
    help="Below 1: nearer to the average face, less varied.",
)
@click.option(
    "--format",
    "picture_format",
    type=click.Choice(["png", "jpg"]),
    show_default="png",
    help="Of the pictures in a folder.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", default=64, show_default=True
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
def command(
    model: Path,
    out: Path,
    count: int,
    seed: int,
    start: int,
    truncation: float,
    picture_format: str | None,
    batch_size: int,
    device: "DeviceName",
) -> None:
    """Draw new faces with MODEL: a run, or a generator that `faceae export` wrote.

    OUT decides the form: a name ending in .png or .jpg one picture with all faces in a grid, .npy
    one array (N x H x W x 3, uint8), any other a new folder with one picture a face, named by its
    number. Face number i of a seed is the same face however many are drawn at a time, in whatever
    form and from whichever export of the run.
    """
    from export import generate_faces
    from faceae.device import resolve_device

    from ._progress import show_image_progress

    form = _choose_form(out, picture_format)
    session = _open(model, resolve_device(device))
    batches = generate_faces(
        session, seed=seed, start=start, count=count, truncation=truncation, batch_size=batch_size
    )
    size = session.info.model.image_size
    with show_image_progress("generate") as show:
        shown = _report(batches, count, show)
        if form == "grid":
            _write_grid(out, shown, count, size)
        elif form == "array":
            save_array(out, shown, (count, size, size, 3))
        else:
            save_folder(out, shown, f".{picture_format or 'png'}", start)
    click.echo(
        f"{out}: {count:,} new faces, {size}x{size}, seed {seed}, numbers {start} to "
        f"{start + count - 1}, drawn in {session.engine}"
    )


def _choose_form(out: Path, picture_format: str | None) -> Form:
    suffix = out.suffix.lower()
    form: Form = "folder"
    if not out.is_dir() and suffix:
        form = "array" if suffix == _ARRAY_SUFFIX else "grid"
        if suffix not in (_ARRAY_SUFFIX, *PICTURE_FORMATS):
            raise FaceaeError(
                f"{out}: ends in none of {', '.join(PICTURE_FORMATS)} and .npy; to get a folder, "
                "give a name without a dot, or an empty folder"
            )
    if form == "folder":
        check_new_folder(out)
    elif picture_format is not None:
        raise click.UsageError(f"--format is for the pictures of a folder, {out} is a file.")
    check_parent(out)
    return form


def _open(model: Path, device: "torch.device") -> "Session":
    from export import open_model, open_session
    from faceae.training import read_run

    from ._runs import load_source

    if not model.exists():
        raise FaceaeError(f"{model}: does not exist; give a run's folder or an exported generator")
    if model.is_dir():
        return open_model(load_source(read_run(model), with_sampler=True), "generator", device)
    session = open_session(model, device)
    if session.info.kind != "generator":
        raise FaceaeError(
            f"{model}: is a {session.info.kind}, which cannot draw new faces; export the "
            "generator: faceae export onnx RUN -o FILE --what generator"
        )
    return session


def _report(
    batches: "Iterator[NDArray[np.uint8]]", count: int, show: "Callable[[int, int], None]"
) -> "Iterator[NDArray[np.uint8]]":
    done = 0
    for faces in batches:
        yield faces
        done += len(faces)
        show(done, count)


def _write_grid(out: Path, batches: "Iterator[NDArray[np.uint8]]", count: int, size: int) -> None:
    check_grid_size(out, count, size, size)
    save_grid(out, np.concatenate(list(batches)))
