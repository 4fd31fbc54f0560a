"""faceae fit."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae_shards import Location

from ._command import (
    batch_size_option,
    data_argument,
    device_option,
    loader_option,
    option,
    run_argument,
    suggest_next,
    verb,
)
from ._outputs import propose_beside
from ._remote import fetch_dataset
from ._watching import find_watch

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae.latent import Prior, PriorKind


@verb()
@run_argument
@data_argument
@option(
    "--prior",
    type=click.Choice(["normal", "gmm", "flow", "pairs"]),
    default="normal",
    help="Distribution to fit. normal: one normal distribution. gmm: a Gaussian mixture. flow: a "
    "flow-matching network, which takes minutes to train. pairs: mixtures of two training faces, "
    "whose latents are kept in the file and in exported generators.",
)
@option("--split", default="train", metavar="SPLIT", help="Split of DATA to fit on.")
@batch_size_option(256)
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    prior: "PriorKind",
    split: str,
    batch_size: int,
    device: "DeviceName",
    loader_kind: Literal["auto", "dali", "webdataset"],
) -> None:
    """Fit a distribution to RUN's latents, from which new faces are drawn.

    Encodes every face of a split of DATA, and writes a distribution of the latents to
    RUN/latents.safetensors. `faceae generate` and exported generators need it. Run this again
    after further training of RUN. gmm and flow hold out a tenth of the faces: gmm to choose its
    number of components, flow to decide when to stop. Start several processes with torchrun to
    share the encoding.
    """
    from faceae.device import resolve_device
    from faceae.distributed import is_first_rank
    from faceae.latent import fit_latents, save_prior
    from faceae.model import load_model
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    from ._progress import show_stage_progress

    run = read_run(run_path)
    on_device = resolve_device(device)
    model = load_model(run.model_path, on_device)
    speaks = is_first_rank()
    if not speaks:
        find_watch().silence()
    fetch_dataset(data, show=speaks)
    dataset = open_dataset(data)
    with show_stage_progress() as show:
        fitted = fit_latents(
            model,
            dataset,
            prior=prior,
            split=split,
            batch_size=batch_size,
            loader=loader_kind,
            on_images=partial(show, "encoding"),
            on_fit=partial(show, "fitting"),
        )
    if fitted is None:  # another process has fitted the prior
        return
    save_prior(fitted.prior, run.latents_path)
    click.echo(_summarise(run.latents_path, split, fitted.prior, model.config.latent_size))
    click.echo(f"encoded on {on_device}, read by {fitted.reader}")
    if dataset.hash != run.dataset_hash:
        click.echo(f"note: {run_path} was trained on another dataset than {data}")
    suggest_next("generate", run_path, propose_beside(run.file, "faces.png"))


def _summarise(path: Path, split: str, prior: "Prior", latent_size: int) -> str:
    count = prior.count
    lines = [f"{path}: {prior.describe()}, {count:,} faces ({split})"]
    if count <= latent_size:
        lines.append(
            f"note: {count:,} faces span at most {count - 1:,} of {latent_size} directions; "
            "new faces will be blends of them; fit on more faces for more variety"
        )
    return "\n".join(lines)
