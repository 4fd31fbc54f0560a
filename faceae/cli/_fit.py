"""faceae fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae_shards import Location

from ._command import data_argument, device_option, loader_option, option, run_argument, verb
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.device import DeviceName


@verb()
@run_argument
@data_argument
@option("--split", default="train", metavar="SPLIT", help="Split of DATA to fit on.")
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    default=256,
    help="Faces per batch. Does not change the result.",
)
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    split: str,
    batch_size: int,
    device: "DeviceName",
    loader_kind: Literal["auto", "dali", "webdataset"],
) -> None:
    """Fit the distribution of RUN's latents, from which new faces are drawn.

    Encodes every face of a split of DATA, and writes the mean and the covariance of the latents to
    RUN/latents.safetensors. `faceae generate` and exported generators need them. Run this again
    after further training of RUN.
    """
    from faceae.device import resolve_device
    from faceae.latent import fit_latents
    from faceae.model import load_model
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    from ._progress import show_image_progress

    run = read_run(run_path)
    on_device = resolve_device(device)
    model = load_model(run.model_path, on_device)
    fetch_dataset(data)
    dataset = open_dataset(data)
    with show_image_progress("encoding") as show:
        fitted = fit_latents(
            model, dataset, split=split, batch_size=batch_size, loader=loader_kind, on_images=show
        )
    distribution = fitted.distribution
    distribution.save(run.latents_path)
    click.echo(_summarise(run.latents_path, split, distribution.count, model.config.latent_size))
    click.echo(f"encoded on {on_device}, read by {fitted.reader}")
    if dataset.hash != run.dataset_hash:
        click.echo(f"note: {run_path} was trained on another dataset than {data}")


def _summarise(path: Path, split: str, count: int, latent_size: int) -> str:
    lines = [
        f"{path}: mean and covariance of {latent_size} latent numbers, {count:,} faces ({split})"
    ]
    if count <= latent_size:
        lines.append(
            f"note: {count:,} faces span at most {count - 1:,} of {latent_size} directions; "
            "new faces will be blends of them; fit on more faces for more variety"
        )
    return "\n".join(lines)
