"""faceae edit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.movies import MOVIE_FORMATS, check_movie, check_movie_size, save_movie
from faceae.pictures import (
    PICTURE_FORMATS,
    check_new_folder,
    encode_picture,
    list_pictures,
    save_grid,
    save_image,
    save_named,
)
from faceae_shards import count_of

from ._command import (
    device_option,
    option,
    run_argument,
    section,
    tell,
    verb,
)
from ._edit_faces import draw_faces, edit_faces, paste_all, read_faces
from ._outputs import check_out_file, check_parent
from ._photographs import (
    align_option,
    crop_option,
    make_numbers_option,
    say_framing,
    seed_option,
)
from ._strengths import Sweep, parse_strengths, parse_sweep

if TYPE_CHECKING:
    from faceae.api import FaceModel
    from faceae.device import DeviceName

_STRIP_FRAMES = 7
_MOVIE_FRAMES = 33
_MAX_FRAMES = 1000


@verb()
@run_argument
@click.argument(
    "paths", metavar="[PHOTO]... OUT", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@section(
    "Change",
    option(
        "--set",
        "strengths",
        multiple=True,
        callback=parse_strengths,
        metavar="NAME=STRENGTH",
        help="Change an attribute. 1 is the distance between the average faces without and with "
        "it. May be given several times.",
    ),
    option(
        "--sweep",
        callback=parse_sweep,
        metavar="NAME=A..B",
        help="Show an attribute at strengths from A to B, as a strip or an animation.",
    ),
    option(
        "--frames",
        type=click.IntRange(2, _MAX_FRAMES),
        metavar="N",
        show_default=f"{_STRIP_FRAMES}, in an animation {_MOVIE_FRAMES}",
        help="With --sweep: number of strengths.",
    ),
    option(
        "--residual",
        is_flag=True,
        help="Add what the model's reconstruction lacks of the photograph, so that detail stays.",
    ),
)
@section(
    "Faces",
    make_numbers_option("in place of photographs"),
    seed_option,
    crop_option,
    align_option,
)
@option(
    "--paste",
    is_flag=True,
    help="Put the edited face back into the whole photograph, with a soft edge. The face has the "
    "model's resolution there.",
)
@device_option
def command(
    run_path: Path,
    paths: tuple[Path, ...],
    strengths: dict[str, float],
    sweep: Sweep | None,
    frames: int | None,
    residual: bool,
    numbers: tuple[int, ...],
    seed: int,
    crop: int | None,
    align: bool | None,
    paste: bool,
    device: "DeviceName",
) -> None:
    """Change attributes of the face in each PHOTO, such as --set Smiling=+2 --set Young=-1.5.

    `faceae directions` must have found RUN's directions. PHOTO may be a folder of photographs. OUT
    is a picture, which ends in .png or .jpg; with --sweep also a .gif, .webp or .mp4; or a new
    folder with a picture for each face. Several faces in one picture are a grid, or rows of strips.

    At strength 0 the face is the model's reconstruction of the photograph.
    """
    from faceae.api import load
    from faceae.editing import find_far
    from faceae.runs import read_run

    *photos, out = paths
    _check_usage(photos, numbers, strengths, sweep, frames, residual, paste)
    files = [file for path in photos for file in (list_pictures(path) if path.is_dir() else [path])]
    _check_out(out, max(len(files), len(numbers)), sweep is not None, paste)
    run = read_run(run_path)
    model = load(run_path, device=device)
    changes_FZ = _list_changes(model, strengths, sweep, frames, out)
    if out.suffix.lower() in MOVIE_FORMATS:
        shown = 2 * len(changes_FZ) - 2  # there and back
        width = max(len(files), len(numbers)) * model.image_size
        remedy = "take fewer `frames` or fewer faces"
        check_movie_size(out, shown, model.image_size, width, remedy=remedy)
    drawn = draw_faces(model, seed, numbers) if numbers else None
    framing = run.frame(crop, align)
    faces = drawn or read_faces(model, files, framing)
    notes = []
    if paste:
        pictures, note = paste_all(model, faces, files, changes_FZ[0], residual)
        notes.append(note)
    else:
        frames_NF = edit_faces(model, faces, changes_FZ, residual)
        pictures = list(frames_NF if sweep is not None else frames_NF[:, 0])
    _save(out, pictures, faces.names, is_swept=sweep is not None)
    click.echo(_summarise(out, len(files) or len(numbers), model.image_size, strengths, sweep))
    for note in notes:
        click.echo(note)
    if files:
        say_framing(framing)
    edits_NZ = (faces.latents[:, None] + changes_FZ).reshape(-1, model.latent_size)
    changed = dict.fromkeys([*strengths, *([sweep.name] if sweep else [])])
    for line in find_far(model.directions, edits_NZ, changed):
        tell(f"warning: {line}")


def _check_usage(
    photos: Sequence[Path],
    numbers: Sequence[int],
    strengths: Mapping[str, float],
    sweep: Sweep | None,
    frames: int | None,
    residual: bool,
    paste: bool,
) -> None:
    if bool(photos) == bool(numbers):
        raise click.UsageError("Give photographs and OUT, or --numbers and OUT.")
    if not strengths and sweep is None:
        raise click.UsageError("Say what to change by --set NAME=STRENGTH or --sweep NAME=A..B.")
    if frames is not None and sweep is None:
        raise click.UsageError("--frames belongs to --sweep.")
    if numbers and (paste or residual):
        raise click.UsageError("--paste and --residual need photographs.")
    if paste and sweep is not None:
        raise click.UsageError("--paste makes one picture of a photograph; leave out --sweep.")


def _check_out(out: Path, num_faces: int, is_swept: bool, paste: bool) -> None:
    suffix = out.suffix.lower()
    if not suffix:
        check_parent(out)
        check_new_folder(out)
        return
    endings = [*PICTURE_FORMATS, *(MOVIE_FORMATS if is_swept else ())]
    if suffix not in endings:
        raise FaceaeError(f"{out}: must end in one of {', '.join(endings)}, or be a new folder")
    if suffix in MOVIE_FORMATS:
        check_movie(out)
    if paste and num_faces > 1:
        raise FaceaeError(f"{out}: with `paste` several photographs need a new folder")
    check_out_file(out)


def _list_changes(
    model: "FaceModel",
    strengths: Mapping[str, float],
    sweep: Sweep | None,
    frames: int | None,
    out: Path,
) -> NDArray[np.float32]:
    """Return what to add to latents in each frame, F x Z."""
    if sweep is None:
        return model.directions.change(strengths)[None]
    count = frames or (_MOVIE_FRAMES if out.suffix.lower() in MOVIE_FORMATS else _STRIP_FRAMES)
    values = np.linspace(sweep.first, sweep.last, count)
    changes = [model.directions.change({**strengths, sweep.name: float(v)}) for v in values]
    return np.stack(changes)


def _summarise(
    out: Path,
    count: int,
    size: int,
    strengths: Mapping[str, float],
    sweep: Sweep | None,
) -> str:
    parts = [f"{name}={strength:+g}" for name, strength in strengths.items()]
    if sweep is not None:
        parts.append(f"{sweep.name} from {sweep.first:+g} to {sweep.last:+g}")
    return f"{out}: {count_of(count, 'face')} of {size}x{size}, {', '.join(parts)}"


def _save(
    out: Path, pictures: list[NDArray[np.uint8]], names: Sequence[str], *, is_swept: bool
) -> None:
    """Write the pictures of each face: one, or with a sweep its frames."""
    suffix = out.suffix.lower()
    if not suffix:
        save_named(out, names, (_encode_face(picture) for picture in pictures), ".png")
    elif suffix in MOVIE_FORMATS:
        frames_FHWC = np.concatenate(pictures, axis=2)  # the faces side by side
        save_movie(out, np.concatenate([frames_FHWC, frames_FHWC[-2:0:-1]]))
    elif is_swept:
        save_grid(out, np.concatenate(pictures), columns=len(pictures[0]))
    elif len(pictures) == 1:
        save_image(out, pictures[0])
    else:
        save_grid(out, np.stack(pictures))


def _encode_face(picture: NDArray[np.uint8]) -> bytes:
    """Return a PNG of a picture, H x W x 3, or of the frames of a strip, F x H x W x 3."""
    return encode_picture(picture if picture.ndim == 3 else np.hstack(list(picture)), ".png")
