"""faceae drift."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceae_shards import count_of

from ._command import option, run_argument, verb
from ._serve import check_installed

if TYPE_CHECKING:
    from faceae.latent import Drift


@verb()
@run_argument
@click.argument("log", type=click.Path(path_type=Path))
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run_path: Path, log: Path, as_json: bool) -> None:
    """Compare the latents of images that clients sent with RUN's fitted distribution.

    LOG is the folder of `faceae serve RUN --log-latents LOG`. As many latents drawn from the
    distribution show what chance alone does. Needs faceae[serve].
    """
    check_installed()
    from faceae.latent import LatentReference, load_prior
    from faceae.runs import read_run
    from faceae.serving import read_latent_log

    reference = LatentReference(load_prior(read_run(run_path).latents_path))
    logged = read_latent_log(log, reference.weights_hash)
    incoming = reference.compare(logged.latents)
    drawn = reference.compare(reference.draw(incoming.count))
    if as_json:
        figures = {"incoming": incoming.to_json(), "drawn": drawn.to_json()}
        click.echo(json.dumps({"since": logged.since, "until": logged.until, **figures}, indent=1))
        return
    click.echo(f"{count_of(incoming.count, 'latent')} from {logged.since} to {logged.until}")
    click.echo(f"incoming: {_describe(incoming)}")
    click.echo(f"drawn:    {_describe(drawn)}")


def _describe(drift: "Drift") -> str:
    return (
        f"mean shifted by {drift.shift:.2f} standard deviations, spread {drift.spread:.2f} of the "
        f"fitted one, {100 * drift.far:.1f} % beyond 99 % of it"
    )
