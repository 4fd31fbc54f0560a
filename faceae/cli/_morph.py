"""faceae morph."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.movies import (
    FRAMES_PER_SECOND,
    MOVIE_FORMATS,
    check_movie,
    check_movie_size,
    save_movie,
)
from faceae.pictures import PICTURE_FORMATS, check_grid_size, enlarge, save_grid

from ._command import device_option, option, run_argument, section, verb
from ._outputs import check_out_file
from ._photographs import (
    align_option,
    crop_option,
    numbers_option,
    read_faces,
    say_framing,
    seed_option,
)
from ._watching import find_watch

if TYPE_CHECKING:
    import torch

    from faceae.device import DeviceName
    from faceae.latent import Interpolation
    from faceae.runs import TrainedModel

Form = Literal["movie", "frames", "strip", "grid"]

_STEP_FRAMES = {"movie": 63, "frames": 63, "strip": 7}
"""Frames from one face to the next."""
_GRID_SIDE = 8
_MAX_FRAMES = 1000
_MAX_SCALE = 32


@dataclass(frozen=True, kw_only=True)
class _Faces:
    """The faces of a morph: photographs, then drawn ones."""

    photos: tuple[Path, ...]
    numbers: tuple[int, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.photos) + len(self.numbers)

    @property
    def names(self) -> list[str]:
        """How the faces are called in a message."""
        drawn = [f"face {number} of seed {self.seed}" for number in self.numbers]
        return [*map(str, self.photos), *drawn]

    @property
    def is_closed(self) -> bool:
        """Whether the last face is the first one again."""
        return self.names[0] == self.names[-1]


@verb()
@run_argument
@click.argument(
    "paths", metavar="[PHOTO]... OUT", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@section(
    "Morph",
    option(
        "--interpolation",
        type=click.Choice(["linear", "spherical", "prior"]),
        default="linear",
        help="Way between latents. linear: straight. spherical: an arc around the latents' origin. "
        "prior: an arc around the average face, which keeps the faces half-way as distinct as the "
        "others (needs `faceae fit --prior normal`).",
    ),
    option(
        "--frames",
        type=click.IntRange(2, _MAX_FRAMES),
        metavar="N",
        show_default="64 for two faces and 63 for each further one, with --strip 8 and 7",
        help="Number of frames from the first to the last face. With --grid: faces in a row.",
    ),
    option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="S",
        show_default="25 frames per second",
        help="Duration of the animation, there and back.",
    ),
    option("--ease", is_flag=True, help="Start slowly from each face and slow down before it."),
    option("--strip", is_flag=True, help="Make one picture with all frames in a row."),
    option(
        "--grid",
        is_flag=True,
        help="Make one picture with four faces in its corners and blends between them.",
    ),
    option(
        "--scale",
        type=click.IntRange(1, _MAX_SCALE),
        metavar="N",
        default=1,
        help="Enlarge the frames N times, smoothly.",
    ),
)
@section(
    "Faces",
    numbers_option,
    seed_option,
    crop_option,
    align_option,
)
@option(
    "--decoder",
    "decoder_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="RUN's decoder in torch",
    help="Exported decoder of RUN to compute the frames with.",
)
@device_option
def command(
    run_path: Path,
    paths: tuple[Path, ...],
    interpolation: "Interpolation",
    frames: int | None,
    seconds: float | None,
    ease: bool,
    strip: bool,
    grid: bool,
    scale: int,
    numbers: tuple[int, ...],
    seed: int,
    crop: int | None,
    align: bool | None,
    decoder_path: Path | None,
    device: "DeviceName",
) -> None:
    """Make an animation from the face in one photograph to the next.

    Give two photographs or more, or drawn faces by --numbers. OUT ends in .gif, .webp or .mp4
    (needs faceae[video]) for an animation that runs there and back, or once around where the last
    face is the first one again. OUT ends in .png or .jpg for one picture with all frames.

    The faces themselves are the model's reconstructions of the photographs.
    """
    from faceae.device import resolve_device
    from faceae.latent import interpolate, interpolate_square
    from faceae.runs import open_run, read_run
    from faceae_export import decode_latents, open_decoder

    *photos, out = paths
    faces = _Faces(photos=tuple(photos), numbers=numbers, seed=seed)
    form = _choose_form(out, strip=strip, grid=grid)
    _check_usage(form, seconds, ease)
    _check_faces(out, faces, form)
    run = read_run(run_path)
    count = frames or _count_frames(form, faces, seconds)
    num_frames = _count_shown(form, count, faces.is_closed)
    _check_size(out, form, num_frames, run.model.image_size * scale, seconds)
    on_device = resolve_device(device)
    framing = run.frame(crop, align)
    pixels = read_faces(faces.photos, run.model.image_size, framing)
    trained = open_run(run, latents=bool(numbers) or interpolation == "prior")
    session = open_decoder(trained, on_device, decoder_path)
    latents_KZ = _find_latents(trained, faces, pixels, on_device)
    join = interpolate_square if form == "grid" else partial(interpolate, ease=ease)
    z_NZ = join(latents_KZ, count, interpolation=interpolation, sampler=trained.sampler)
    find_watch().note(lambda: "drawing faces")
    pictures = decode_latents(session, z_NZ)
    _save(out, form, pictures, seconds, scale, faces.is_closed)
    what = f"{count} frames" if form != "grid" else f"{count}x{count} faces"
    names = faces.names
    click.echo(f"{out}: {what} from {names[0]} to {names[-1]}, decoded by {session.engine}")
    if photos:
        say_framing(framing)


def _choose_form(out: Path, *, strip: bool, grid: bool) -> Form:
    suffix = out.suffix.lower()
    if suffix not in (*MOVIE_FORMATS, *PICTURE_FORMATS):
        endings = ", ".join([*MOVIE_FORMATS, *PICTURE_FORMATS])
        raise FaceaeError(f"{out}: a morph's file must end in one of {endings}")
    check_out_file(out)
    if strip and grid:
        raise click.UsageError("--strip and --grid are two pictures; choose one.")
    if suffix in MOVIE_FORMATS:
        if strip or grid:
            name = "strip" if strip else "grid"
            raise FaceaeError(
                f"{out}: `{name}` makes a picture; name a file that ends in "
                f"{' or '.join(PICTURE_FORMATS)}"
            )
        check_movie(out)
        return "movie"
    return "strip" if strip else "grid" if grid else "frames"


def _check_usage(form: Form, seconds: float | None, ease: bool) -> None:
    if seconds is not None and form != "movie":
        raise click.UsageError("--seconds is for .gif, .webp and .mp4 files.")
    if ease and form == "grid":
        raise click.UsageError("--ease is not for --grid.")


def _check_faces(out: Path, faces: _Faces, form: Form) -> None:
    if out in faces.photos:
        raise FaceaeError(f"{out}: is one of the photographs; name another file as the last one")
    if form == "grid" and len(faces) != 4:
        raise FaceaeError(f"`grid` needs four faces, one for each corner, got {len(faces)}")
    if len(faces) < 2:
        raise FaceaeError(
            f"a morph needs at least two faces, got {len(faces)}; give photographs before the file "
            f"to write ({out}), or `numbers`"
        )


def _count_frames(form: Form, faces: _Faces, seconds: float | None) -> int:
    if form == "grid":
        return _GRID_SIDE
    count = _STEP_FRAMES[form] * (len(faces) - 1) + 1
    if seconds is not None:
        ways = 1 if faces.is_closed else 2
        count = round(seconds * FRAMES_PER_SECOND / ways) + 1
    return max(min(count, _MAX_FRAMES), len(faces))


def _count_shown(form: Form, count: int, is_closed: bool) -> int:
    """Return the number of frames or faces in the file that is written."""
    if form == "grid":
        return count**2
    if form != "movie":
        return count
    return count - 1 if is_closed else 2 * count - 2


def _check_size(out: Path, form: Form, num_frames: int, side: int, seconds: float | None) -> None:
    if form == "movie":
        check_movie_size(out, num_frames, side, side, seconds)
    else:
        check_grid_size(out, num_frames, side, side, "give a smaller `frames` or `scale`")


def _find_latents(
    trained: "TrainedModel", faces: _Faces, pixels: NDArray[np.uint8], device: "torch.device"
) -> NDArray[np.float32]:
    """Return the latents of all faces, K x Z."""
    from faceae.latent import latent_noise
    from faceae_export import open_model

    latents = []
    if len(pixels):
        latents.append(open_model(trained, "encoder", device).run(pixels))
    if faces.numbers:
        assert trained.sampler is not None
        size = trained.model.config.latent_size
        noise = [latent_noise(faces.seed, number, 1, size) for number in faces.numbers]
        latents.append(trained.sampler.latents(np.concatenate(noise)))
    return np.concatenate(latents)


def _save(
    out: Path,
    form: Form,
    pictures: NDArray[np.uint8],
    seconds: float | None,
    scale: int,
    is_closed: bool,
) -> None:
    if form == "movie":
        frames = pictures[:-1] if is_closed else np.concatenate([pictures, pictures[-2:0:-1]])
        save_movie(out, frames, seconds=seconds, scale=scale)
        return
    columns = len(pictures) if form == "strip" else None
    save_grid(out, np.stack([enlarge(picture, scale) for picture in pictures]), columns)
