"""faceae neighbours."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from faceae.errors import FaceaeError
from faceae.pictures import PICTURE_FORMATS, check_grid_size, enlarge, save_grid
from faceae_shards import Location

from ._command import (
    data_argument,
    device_option,
    loader_option,
    option,
    out_option,
    run_argument,
    section,
    verb,
)
from ._outputs import check_out_file
from ._photographs import (
    align_option,
    crop_option,
    numbers_option,
    read_faces,
    say_framing,
    seed_option,
)
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.data import LoaderKind
    from faceae.device import DeviceName
    from faceae.explore import Neighbours


@verb()
@run_argument
@data_argument
@click.argument("photos", metavar="[PHOTO]...", nargs=-1, type=click.Path(path_type=Path))
@option(
    "-k",
    type=click.IntRange(min=1),
    metavar="N",
    default=8,
    help="Number of faces to find for each given one.",
)
@option("--split", default="train", metavar="SPLIT", help="Split of DATA to search.")
@out_option(
    "RUN/neighbours-SPLIT.png",
    "Picture to write: a row for each given face, which is the first in it.",
)
@option(
    "--scale",
    type=click.IntRange(1, 32),
    metavar="N",
    default=1,
    help="Enlarge the faces N times, smoothly.",
)
@section(
    "Faces",
    numbers_option,
    seed_option,
    crop_option,
    align_option,
)
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    photos: tuple[Path, ...],
    k: int,
    split: str,
    out: Path | None,
    scale: int,
    numbers: tuple[int, ...],
    seed: int,
    crop: int | None,
    align: bool | None,
    device: "DeviceName",
    loader_kind: "LoaderKind",
) -> None:
    """Find the faces of DATA that are most like the face in each PHOTO, or like drawn faces.

    Encodes a split of DATA and searches all of it. Prints the files and their distances: 0 is
    alike in everything, 1 is as unlike as two random faces. Alike means what RUN's model has
    learned of pictures of faces: pose, light and hair count besides the features of a person.
    """
    from faceae.api import load
    from faceae.device import resolve_device
    from faceae.explore import NeighboursConfig, find_neighbours
    from faceae.model import load_model
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    from ._progress import show_image_progress

    names = [*map(str, photos), *(f"face {number} of seed {seed}" for number in numbers)]
    if not names:
        raise FaceaeError("there is no face to compare with; give a photograph, or `numbers`")
    run = read_run(run_path)
    out = out or run_path / f"neighbours-{split}.png"
    size = run.model.image_size
    if out in photos:
        raise FaceaeError(f"{out}: is one of the photographs; name another file as `out`")
    _check_out(out, len(names) * (k + 1), size * scale)
    model = load(run_path, device=device)
    framing = run.frame(crop, align)
    given = read_faces(photos, size, framing)
    drawn = [model.draw_latents(1, seed=seed, start=number) for number in numbers]
    latents = np.concatenate([*([model.encode(given)] if photos else []), *drawn])
    if drawn:
        given = np.concatenate([given, model.decode(np.concatenate(drawn))])
    fetch_dataset(data)
    dataset = open_dataset(data)
    config = NeighboursConfig(k=k, split=split, loader=loader_kind)
    with show_image_progress("encoding") as show:
        network = load_model(run.model_path, resolve_device(device))
        found = find_neighbours(network, dataset, latents, config, show)
    rows = np.concatenate([given[:, None], found.pictures], axis=1)
    pictures = [enlarge(picture, scale) for picture in rows.reshape(-1, size, size, 3)]
    save_grid(out, np.stack(pictures), columns=k + 1)
    click.echo(_summarise(out, split, names, found))
    if photos:
        say_framing(framing)


def _check_out(out: Path, num_pictures: int, side: int) -> None:
    if out.suffix.lower() not in PICTURE_FORMATS:
        raise FaceaeError(f"{out}: a picture must end in {', '.join(PICTURE_FORMATS)}")
    check_out_file(out)
    check_grid_size(out, num_pictures, side, side, "give a smaller `k` or `scale`")


def _summarise(out: Path, split: str, names: list[str], found: "Neighbours") -> str:
    lines = [
        f"{out}: each row is a face and the most alike of {found.num_searched:,} faces ({split})"
    ]
    for name, files, distances in zip(names, found.names, found.distances, strict=True):
        lines.append(f"{name}, distance and file:")
        pairs = zip(distances.tolist(), files, strict=True)
        lines += [f"  {distance:.3f}  {file}" for distance, file in pairs]
    return "\n".join([*lines, f"read by {found.reader}"])
