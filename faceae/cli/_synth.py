"""faceae synth."""

from pathlib import Path

import click

from faceae.errors import FaceaeError
from faceae.synthetic import SynthConfig, SynthSummary

from ._command import count_option, option, verb, workers_option


@verb()
@click.argument("out", type=click.Path(path_type=Path))
@count_option("Number of faces.", type=int, required=True)
@option(
    "--seed",
    type=int,
    metavar="N",
    default=SynthConfig.seed,
    help="Seed of the people and pictures.",
)
@workers_option
def command(out: Path, count: int, seed: int, workers: int | None) -> None:
    """Draw an artificial set of faces into the new folder OUT, in CelebA's layout.

    `faceae shard OUT packed` packs it as it would pack CelebA. A seed always gives the same faces,
    and a longer set begins with the faces of a shorter one.
    """
    try:
        config = SynthConfig(
            out=out, count=count, seed=seed, **({} if workers is None else {"workers": workers})
        )
    except FaceaeError as error:
        raise click.UsageError(str(error)) from error
    from faceae.cli._progress import show_image_progress
    from faceae.synthetic import write_dataset

    with show_image_progress("drawing") as on_progress:
        summary = write_dataset(config, on_progress)
    click.echo(_text(summary))


def _text(summary: SynthSummary) -> str:
    counts = ", ".join(f"{count:,} {part}" for part, count in summary.num_images.items())
    num_images = sum(summary.num_images.values())
    lines = [
        f"{summary.out} is complete: {num_images:,} faces of {summary.num_identities:,} people "
        f"({counts})",
        f"{summary.num_bytes / 1e6:,.1f} MB, {summary.num_bytes / num_images / 1e3:.1f} kB a face",
    ]
    if summary.restarted:
        lines.append("an interrupted run's pictures were there: they were drawn again")
    return "\n".join(lines)
