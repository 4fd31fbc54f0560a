"""faceae directions."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae_shards import Location, count_of

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
from ._photographs import ALIGN_HELP, say_framing
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.device import DeviceName
    from faceae.editing import Directions
    from faceae.runs import Run


_SURE_ACCURACY = 0.8
"""Below this balanced accuracy, what distinguishes two small folders is mostly something else."""


@verb()
@run_argument
@data_argument
@option(
    "--from",
    "folders",
    type=(click.Path(path_type=Path), click.Path(path_type=Path)),
    metavar="WITH WITHOUT",
    help="Add a direction of your own, between two folders of photographs: with something, and "
    "without it.",
)
@option("--name", metavar="NAME", help="With --from: name of the direction.")
@option(
    "--align/--no-align",
    default=None,
    show_default="as the faces that RUN was trained on",
    help=f"With --from: {ALIGN_HELP[0].lower()}{ALIGN_HELP[1:]}",
)
@option(
    "--keep",
    metavar="NAME,...",
    default="",
    show_default="none",
    help="Attributes that the other directions must not change, separated by commas.",
)
@option(
    "--keep-identity",
    is_flag=True,
    help="The directions must not change what distinguishes persons. DATA must name the persons.",
)
@batch_size_option(256)
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    folders: tuple[Path, Path] | None,
    name: str | None,
    align: bool | None,
    keep: str,
    keep_identity: bool,
    batch_size: int,
    device: "DeviceName",
    loader_kind: Literal["auto", "dali", "webdataset"],
) -> None:
    """Find the directions in RUN's latent space that change attributes of faces.

    Fits a linear classifier of the latents for each attribute of DATA, and measures it on held-out
    faces. Writes RUN/directions.safetensors for `faceae edit`. Strength 1 along a direction is the
    distance between the average faces without and with the attribute. Attributes that cannot be
    recognised are listed and get no direction.

    With --from, one direction of your own is added instead. Run this again after further training
    of RUN.
    """
    from faceae.device import resolve_device
    from faceae.editing import (
        DirectionsConfig,
        FolderPair,
        find_direction,
        find_directions,
        load_known,
        save_found,
        save_own,
    )
    from faceae.model import load_model, weights_hash
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    from ._progress import show_stage_progress

    if (folders is None) != (name is None):
        raise click.UsageError("--from and --name belong together.")
    run = read_run(run_path)
    on_device = resolve_device(device)
    model = load_model(run.model_path, on_device)
    fetch_dataset(data)
    dataset = open_dataset(data)
    config = DirectionsConfig(
        keep=tuple(part.strip() for part in keep.split(",") if part.strip()),
        keep_identity=keep_identity,
        batch_size=batch_size,
        loader=loader_kind,
    )
    path = run.directions_path
    left_out: tuple[str, ...] = ()
    if folders is None or name is None:
        with show_stage_progress() as show:
            directions, reader = find_directions(model, dataset, config, show)
        save_found(path, directions)
    else:
        known = load_known(path, weights_hash(model))
        positive, negative = folders
        framing = run.frame(align=align)
        pair = FolderPair(name=name, positive=positive, negative=negative, framing=framing)
        say_framing(framing)
        with show_stage_progress() as show:
            directions, left_out, reader = find_direction(model, dataset, pair, known, config, show)
        save_own(path, known, directions)
    click.echo(_summarise(path, directions))
    for line in left_out:
        click.echo(f"left out: {line}")
    if folders is not None and directions.found[0].accuracy < _SURE_ACCURACY:
        click.echo(
            f"note: {name} is hard to recognise, so its direction follows other differences "
            "between the folders too; give more photographs, or keep attributes by --keep"
        )
    click.echo(f"encoded on {on_device}, read by {reader}")
    if dataset.hash != run.dataset_hash:
        click.echo(f"note: {run_path} was trained on another dataset than {data}")
    _suggest(run, data, name or next(iter(directions.names), None))


def _suggest(run: "Run", data: Location, name: str | None) -> None:
    """Suggest an edit of a drawn face, for which latents must have been fitted."""
    if name is None:
        return
    if not run.latents_path.exists():
        suggest_next("fit", run.path, data)
        return
    out = propose_beside(run.file, "edited.png")
    suggest_next("edit", run.path, out, "--numbers", 0, "--sweep", f"{name}=-2..2")


def _summarise(path: Path, directions: "Directions") -> str:
    width = max((len(name) for name in directions.names), default=0)
    lines = [
        f"{path}: {count_of(len(directions.found), 'direction')}",
        f"{'':{width}}  balanced accuracy    AUC     with  without  classifier",
    ]
    for each in directions.found:
        left = "" if each.share_left > 0.995 else f", {each.share_left:.0%} left by what is kept"
        lines.append(
            f"{each.name:{width}}  {each.accuracy:17.3f}  {each.auc:5.3f}  "
            f"{each.num_positive:7,}  {each.num_negative:7,}  {each.classifier}{left}"
        )
    if directions.refused:
        lines.append("without a direction:")
        lines += [f"  {refusal.name}: {refusal.reason}" for refusal in directions.refused]
    return "\n".join(lines)
