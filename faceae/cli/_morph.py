"""faceae morph."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from faceae.errors import FaceaeError
from faceae.pictures import PICTURE_FORMATS, read_face, save_gif, save_grid

from ._command import align_option, crop_option, device_option, option, run_argument, verb
from ._outputs import check_out_file

if TYPE_CHECKING:
    from faceae.device import DeviceName

_GIF_SUFFIX = ".gif"


@verb()
@run_argument
@click.argument("first", metavar="FIRST", type=click.Path(path_type=Path))
@click.argument("last", metavar="LAST", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@option(
    "--frames",
    type=click.IntRange(2, 1000),
    metavar="N",
    default=64,
    help="Number of frames.",
)
@crop_option
@align_option
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
    first: Path,
    last: Path,
    out: Path,
    frames: int,
    crop: int | None,
    align: bool,
    decoder_path: Path | None,
    device: "DeviceName",
) -> None:
    """Make an animation from the face in photograph FIRST to the face in photograph LAST.

    OUT ends in .gif for an animation that runs there and back in a loop, or in .png or .jpg for one
    picture with all frames. The first and the last frame are the model's reconstructions of the
    two photographs.
    """
    from faceae.device import resolve_device
    from faceae.runs import open_run, read_run
    from faceae_export import morph, open_decoder

    _check_out(out)
    run = read_run(run_path)
    on_device = resolve_device(device)
    crop = run.crop if crop is None else crop or None
    size = run.model.image_size
    faces = np.stack([read_face(path, size, crop, align=align) for path in (first, last)])
    trained = open_run(run, latents=False)
    session = open_decoder(trained, on_device, decoder_path)
    pictures = morph(trained, session, faces, frames, on_device)
    if out.suffix.lower() == _GIF_SUFFIX:
        save_gif(out, np.concatenate([pictures, pictures[-2:0:-1]]))
    else:
        save_grid(out, pictures)
    click.echo(f"{out}: {frames} frames from {first} to {last}, decoded in {session.engine}")


def _check_out(out: Path) -> None:
    suffixes = (_GIF_SUFFIX, *PICTURE_FORMATS)
    if out.suffix.lower() not in suffixes:
        raise FaceaeError(f"{out}: a morph's file must end in one of {', '.join(suffixes)}")
    check_out_file(out)
