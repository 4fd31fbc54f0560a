"""faceae map."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceae.errors import FaceaeError
from faceae.pictures import PICTURE_FORMATS, save_image
from faceae_shards import Location

from ._command import (
    data_argument,
    device_option,
    loader_option,
    option,
    out_option,
    run_argument,
    verb,
)
from ._outputs import check_out_file
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.data import LoaderKind
    from faceae.device import DeviceName


@verb()
@run_argument
@data_argument
@option("--split", default="test", metavar="SPLIT", help="Split of DATA to show.")
@option(
    "--attribute",
    metavar="NAME",
    help="Colour faces with this attribute orange, and faces without it blue.",
)
@out_option("RUN/map-SPLIT.png", "Picture to write.")
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    split: str,
    attribute: str | None,
    out: Path | None,
    device: "DeviceName",
    loader_kind: "LoaderKind",
) -> None:
    """Draw a map of RUN's latent space with the faces of a split of DATA.

    A face lies at the first two principal components of its latents. Faces are shown as pictures
    where they do not overlap, and as dots elsewhere. Two directions show little of a space of many:
    faces that lie together may differ in all others.
    """
    from faceae.device import resolve_device
    from faceae.explore import MapConfig, draw_map
    from faceae.model import load_model
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    from ._progress import show_image_progress

    run = read_run(run_path)
    out = out or run_path / f"map-{split}.png"
    if out.suffix.lower() not in PICTURE_FORMATS:
        raise FaceaeError(f"{out}: a picture must end in {', '.join(PICTURE_FORMATS)}")
    check_out_file(out)
    model = load_model(run.model_path, resolve_device(device))
    fetch_dataset(data)
    dataset = open_dataset(data)
    config = MapConfig(split=split, attribute=attribute, loader=loader_kind)
    with show_image_progress("encoding") as show:
        drawn = draw_map(model, dataset, config, show)
    save_image(out, drawn.picture)
    first, second = drawn.shares
    click.echo(
        f"{out}: {drawn.num_faces:,} faces ({split}), {drawn.num_tiles:,} of them as pictures; the "
        f"axes hold {first:.0%} and {second:.0%} of the variance"
    )
    click.echo(f"read by {drawn.reader}")
