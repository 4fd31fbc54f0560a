"""faceae morph."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from faceae.errors import FaceaeError
from faceae.pictures import PICTURE_FORMATS, read_face, save_gif, save_grid

from ._command import device_option, option, run_argument, verb
from ._outputs import check_out_file

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from faceae.device import DeviceName
    from faceae.model import FaceAutoEncoder
    from faceae.runs import TrainedModel
    from faceae_export import Session

_GIF_SUFFIX = ".gif"
_BATCH_FRAMES = 64


@verb()
@run_argument
@click.argument("first", metavar="FIRST", type=click.Path(path_type=Path))
@click.argument("last", metavar="LAST", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@option("--frames", type=click.IntRange(2, 1000), metavar="N", default=64, help="Number of frames.")
@option(
    "--crop",
    type=click.IntRange(min=0),
    metavar="N",
    show_default="the crop RUN's dataset was packed with",
    help="Keep the centre square of N pixels of each photograph; 0 keeps all of it.",
)
@option(
    "--decoder",
    "decoder_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Decode with this export of RUN's decoder.",
)
@device_option
def command(
    run_path: Path,
    first: Path,
    last: Path,
    out: Path,
    frames: int,
    crop: int | None,
    decoder_path: Path | None,
    device: "DeviceName",
) -> None:
    """Turn the face in photograph FIRST gradually into the one in LAST.

    OUT ends in .gif for an endless animation there and back, or in .png or .jpg for one picture
    of all frames. The first and the last frame are the model's reconstructions of the photographs.
    """
    from faceae.device import resolve_device
    from faceae.latent import interpolate
    from faceae.runs import open_run, read_run

    _check_out(out)
    run = read_run(run_path)
    on_device = resolve_device(device)
    crop = run.crop if crop is None else crop or None
    faces = np.stack([read_face(path, run.model.image_size, crop) for path in (first, last)])
    source = open_run(run, latents=False)
    session = _open_decoder(decoder_path, source, run_path, on_device)
    z_first, z_last = _encode(source.model, faces, on_device)
    pictures = _decode(session, interpolate(z_first, z_last, frames))
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


def _open_decoder(
    path: Path | None, source: "TrainedModel", run_path: Path, device: "torch.device"
) -> "Session":
    from faceae.model import weights_hash
    from faceae_export import open_model, open_session

    if path is None:
        return open_model(source, "decoder", device)
    session = open_session(path, device)
    if session.info.kind != "decoder":
        raise FaceaeError(
            f"--decoder {path}: is a {session.info.kind}; export the decoder: "
            "faceae export onnx RUN OUT --part decoder"
        )
    if session.info.weights_hash != weights_hash(source.model):
        raise FaceaeError(
            f"--decoder {path}: was exported from other weights than {run_path} has; "
            "export it again"
        )
    return session


def _encode(
    model: "FaceAutoEncoder", faces_NHWC: "NDArray[np.uint8]", device: "torch.device"
) -> "NDArray[np.float32]":
    import torch

    from faceae.device import full_float32
    from faceae.model import to_float

    images_NCHW = torch.from_numpy(faces_NHWC).permute(0, 3, 1, 2).to(device)
    with torch.inference_mode(), full_float32():
        z_NZ: NDArray[np.float32] = model.to(device).encode(to_float(images_NCHW)).cpu().numpy()
    return z_NZ


def _decode(session: "Session", z_NZ: "NDArray[np.float32]") -> "NDArray[np.uint8]":
    import torch

    from faceae.model import to_uint8

    batches = []
    for first in range(0, len(z_NZ), _BATCH_FRAMES):
        faces_NCHW = torch.from_numpy(session.run(z_NZ[first : first + _BATCH_FRAMES]))
        batches.append(to_uint8(faces_NCHW).permute(0, 2, 3, 1).numpy())
    return np.concatenate(batches)
