"""faceae generate."""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np

from faceae.errors import FaceaeError
from faceae.pictures import (
    PICTURE_FORMATS,
    check_grid_size,
    check_new_folder,
    encode_picture,
    save_array,
    save_folder,
    save_grid,
)
from faceae_shards import Location, count_of, parse_location

from ._command import (
    address_option,
    count_option,
    device_option,
    executor_option,
    option,
    section,
    suggest_next,
    tell,
    verb,
)
from ._outputs import check_parent, propose_beside
from ._watching import find_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from faceae.device import DeviceName
    from faceae_export import EngineName, OpenedGenerator, Session

Form = Literal["grid", "array", "folder", "shards"]

_ARRAY_SUFFIX = ".npy"
_LIMIT = 2**63
"""Upper limit of seeds and face numbers."""


def _check_finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


def _check_number(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value >= _LIMIT:
        raise click.BadParameter(f"{value} is not below 2^63")
    return value


@verb()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("out", type=parse_location)
@section(
    "Faces",
    count_option(
        "Number of faces.", type=click.IntRange(min=1), callback=_check_number, default=64
    ),
    option(
        "--seed",
        type=click.IntRange(min=0),
        callback=_check_number,
        metavar="N",
        default=0,
        help="Seed of the random numbers. Each seed has a sequence of numbered faces.",
    ),
    option(
        "--start",
        type=click.IntRange(min=0),
        callback=_check_number,
        metavar="N",
        default=0,
        help="Number of the first face to draw.",
    ),
    option(
        "--truncation",
        type=click.FloatRange(min=0),
        callback=_check_finite,
        metavar="FACTOR",
        default=1.0,
        help="Scale the distance of latents from their mean. Below 1, faces vary less and look "
        "more like the average face; above 1, they vary more.",
    ),
)
@section(
    "Output",
    option(
        "--format",
        "out_format",
        type=click.Choice(["png", "jpg", "shards"]),
        show_default="png",
        help="Files in the folder OUT: one picture per face, or a dataset of JPEG shards.",
    ),
    option(
        "--samples-per-shard",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="64 to 4096, growing with the number of faces",
        help="With --format shards: faces per shard.",
    ),
)
@section(
    "Speed",
    option(
        "--engine",
        type=click.Choice(
            ["auto", "torch", "onnxruntime", "tensorrt", "torchscript", "pt2", "openvino"]
        ),
        show_default="torch for a run, else the engine that MODEL was exported for",
        help="Inference engine. auto: the one that is the fastest in a short measurement.",
    ),
    device_option,
    option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="one per core",
        help="CPU threads for inference and for encoding pictures.",
    ),
    option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="64, or more to keep all threads busy",
        help="Faces per batch. Does not change the faces.",
    ),
    executor_option(
        "local",
        "local: this machine. ray: with --format shards, CPUs of a Ray cluster.",
    ),
    address_option,
)
def command(
    model: Path,
    out: Location,
    count: int,
    seed: int,
    start: int,
    truncation: float,
    out_format: Literal["png", "jpg", "shards"] | None,
    batch_size: int | None,
    engine: "EngineName | Literal['auto'] | None",
    threads: int | None,
    device: "DeviceName",
    **shard_options: Any,
) -> None:
    """Draw new faces with MODEL, a run or a generator written by `faceae export`.

    OUT and --format decide what is written:

    \b
    OUT ends in .png or .jpg   one picture with all faces in a grid
    OUT ends in .npy           one NumPy array, N x H x W x 3 uint8
    OUT has no dot             a new folder with one picture per face
    --format shards            a dataset like those of `faceae shard`, in a
                               folder or at a URL (s3://, gs://)

    Face number i of a seed is always the same face, however many are drawn and wherever they are
    written; with the same engine, it is the same to the last bit. To continue interrupted shards,
    run the same command again.
    """
    from faceae.device import resolve_device, use_threads
    from faceae_export import generate_faces, open_generator

    if start + count > _LIMIT:
        raise click.UsageError(f"--start {start} and --count {count} lead beyond number 2^63.")
    form = _choose_form(out, out_format)
    _check_shard_options(form, device, shard_options)
    use_threads(threads)
    on_ray = shard_options["executor"] == "ray"
    find_watch().note(lambda: f"opening {model}")
    generator = open_generator(model, resolve_device("cpu" if on_ray else device), engine)
    if generator.choice is not None:
        tell(f"`engine='auto'` takes {generator.choice}")
    session = generator.session
    faces: dict[str, Any] = {"seed": seed, "truncation": truncation, "batch_size": batch_size}
    if form == "shards":
        _write_shards(generator, out, range(start, start + count), faces | shard_options)
    else:
        batches = generate_faces(session, start=start, count=count, **faces)
        _write(form, Path(out), batches, session, start, count, f".{out_format or 'png'}")
    size = session.info.model.image_size
    click.echo(
        f"{out}: {count_of(count, 'new face')}, {size}x{size}, seed {seed}, numbers {start} to "
        f"{start + count - 1}, drawn by {session.engine}"
    )
    if model.is_dir():
        exported = propose_beside(model / "run.json", "generator.onnx")
        suggest_next("export", "onnx", model, exported, "--part", "generator")


def _choose_form(out: Location, out_format: str | None) -> Form:
    if isinstance(out, str):
        if out_format != "shards":
            raise FaceaeError(f"{out}: only shards can be written to a URL; add --format shards")
        return "shards"
    suffix = out.suffix.lower()
    form: Form = "shards" if out_format == "shards" else "folder"
    is_file = suffix in (_ARRAY_SUFFIX, *PICTURE_FORMATS) and not out.is_dir()
    if is_file and out_format is not None:
        raise click.UsageError(f"--format is for the content of a folder; {out} is a file.")
    if is_file:
        form = "array" if suffix == _ARRAY_SUFFIX else "grid"
    elif form == "folder":
        if suffix and not out.is_dir():
            raise FaceaeError(
                f"{out}: ends in none of {', '.join(PICTURE_FORMATS)} and .npy; to get a folder, "
                "give a name without a dot, or an empty folder"
            )
        check_new_folder(out)
    check_parent(out)
    return form


def _check_shard_options(form: Form, device: "DeviceName", options: dict[str, Any]) -> None:
    given = [
        name
        for name, is_given in (
            ("--samples-per-shard", options["samples_per_shard"] is not None),
            ("--executor", options["executor"] != "local"),
            ("--address", options["address"] is not None),
        )
        if is_given
    ]
    if form != "shards" and given:
        raise click.UsageError(f"{given[0]} is for --format shards.")
    if options["address"] is not None and options["executor"] != "ray":
        raise click.UsageError("--address names a Ray cluster; add --executor ray.")
    if options["executor"] == "ray" and device == "cuda":
        raise click.UsageError("--executor ray computes on CPUs; take --device cpu.")


def _write_shards(
    generator: "OpenedGenerator", out: Location, numbers: range, options: dict[str, Any]
) -> None:
    from faceae_export import generate_shards

    from ._progress import show_image_progress

    with show_image_progress("drawing") as show:
        generate_shards(generator, out, numbers, on_progress=show, **options)


def _write(
    form: Form,
    out: Path,
    batches: "Iterator[NDArray[np.uint8]]",
    session: "Session",
    start: int,
    count: int,
    suffix: str,
) -> None:
    from faceae_export import encode_faces

    from ._progress import show_image_progress

    size = session.info.model.image_size
    if form == "grid":
        check_grid_size(out, count, size, size)
    find_watch().note(lambda: "drawing faces")
    with show_image_progress("drawing") as show:
        shown = _report(batches, count, show)
        if form == "grid":
            save_grid(out, np.concatenate(list(shown)))
        elif form == "array":
            save_array(out, shown, (count, size, size, 3))
        else:
            pictures = encode_faces(shown, partial(encode_picture, suffix=suffix))
            save_folder(out, pictures, suffix, start)


def _report(
    batches: "Iterator[NDArray[np.uint8]]", count: int, show: "Callable[[int, int], None]"
) -> "Iterator[NDArray[np.uint8]]":
    done = 0
    for faces in batches:
        yield faces
        done += len(faces)
        show(done, count)
