"""faceae synth."""

from pathlib import Path

import click

from faceae.errors import FaceaeError
from faceae.synthetic import SynthConfig, SynthSummary


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--count", type=int, metavar="N", required=True, help="Pictures.")
@click.option(
    "--seed",
    type=int,
    metavar="N",
    default=SynthConfig.seed,
    show_default=True,
    help="Another seed draws other people.",
)
@click.option("--workers", type=int, metavar="N", help="Processes.  [default: one a core]")
def command(out: Path, count: int, seed: int, workers: int | None) -> None:
    """Draw N faces into the new folder OUT, laid out like CelebA.

    `faceae shard OUT` packs them as it would pack CelebA. Picture number i of a seed is always the
    same, so a longer set begins with the pictures of a shorter one.
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
