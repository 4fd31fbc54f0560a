"""Photographs and drawn faces that a verb starts from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from faceae.framing import Framing, frame_face
from faceae.pictures import read_photograph

from ._command import F, option

MAX_NUMBER = 2**63

crop_option = option(
    "--crop",
    type=click.IntRange(min=0),
    metavar="N",
    show_default="as for the faces that RUN was trained on",
    help="Keep the centre square of each photograph, N pixels wide. 0: no cropping.",
)
ALIGN_HELP = (
    "Find the face of each photograph and frame it as CelebA does (needs faceae[align]). Pictures "
    "of 178x218 pixels, or of the crop's size, are taken as framed. Without either, photographs "
    "are framed as those that RUN was trained on."
)
align_option = option(
    "--align/--no-align",
    default=None,
    show_default="as the faces that RUN was trained on",
    help=ALIGN_HELP,
)


def parse_numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Return the numbers of faces in a list such as 3,17.

    Raises:
        click.BadParameter: the text is no such list.
    """
    if value is None:
        return ()
    numbers = value.split(",")
    if not all(number.strip().isdecimal() and int(number) < MAX_NUMBER for number in numbers):
        raise click.BadParameter(f"{value!r} is no list of numbers from 0, such as 3,17")
    return tuple(int(number) for number in numbers)


def make_numbers_option(where: str) -> Callable[[F], F]:
    """Return the option for drawn faces; `where` says how they stand to the photographs."""
    return option(
        "--numbers",
        callback=parse_numbers,
        metavar="N,N",
        help=f"Faces of these numbers that `faceae generate` draws, {where}.",
    )


numbers_option = make_numbers_option("after the photographs")
seed_option = option(
    "--seed",
    type=click.IntRange(0, MAX_NUMBER - 1),
    metavar="N",
    default=0,
    help="With --numbers: seed of the drawn faces.",
)


def read_faces(photos: Sequence[Path], size: int, framing: Framing) -> NDArray[np.uint8]:
    """Return the largest face of each photograph, N x size x size x 3 uint8, RGB.

    Prints a note where a photograph shows several faces.

    Raises:
        FaceaeError: a file is no picture, or shows no face.
        OSError: a file cannot be read.
    """
    faces = np.empty((len(photos), size, size, 3), np.uint8)
    for index, path in enumerate(photos):
        image_HWC = read_photograph(path)
        faces[index] = frame_face(image_HWC, size, framing, name=str(path)).pixels
        note_other_faces(path, image_HWC, size, framing)
    return faces


def note_other_faces(path: Path, image_HWC: NDArray[np.uint8], size: int, framing: Framing) -> None:
    """Print a note if a photograph, not yet framed or `size` pixels wide, shows several faces."""
    if image_HWC.shape[:2] == (size, size) or framing.is_framed(image_HWC):
        return
    from faceae_shards.faces import find_faces

    num_faces = len(find_faces(image_HWC, which="all"))
    if num_faces > 1:
        click.echo(
            f"note: {path} shows {num_faces} faces; the largest is taken, cut out another to "
            "take it instead",
            err=True,
        )


def say_framing(framing: Framing, *, to_stderr: bool = False) -> None:
    """Print how photographs are framed."""
    click.echo(f"photographs framed: {framing}", err=to_stderr)
