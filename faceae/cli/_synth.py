"""faceae synth."""

from pathlib import Path

import click

from faceae.errors import FaceaeError
from faceae.synthetic import SynthConfig, SynthSummary

from ._command import count_option, option, suggest_next, verb, workers_option
from ._outputs import propose_beside


@verb()
@click.argument("out", type=click.Path(path_type=Path))
@count_option("Number of faces.", type=int, required=True)
@option(
    "--seed",
    type=int,
    metavar="N",
    default=SynthConfig.seed,
    help="Seed of the faces.",
)
@workers_option
def command(out: Path, count: int, seed: int, workers: int | None) -> None:
    """Draw artificial faces into the new folder OUT, in CelebA's layout.

    They stand in for photographs: `faceae shard OUT packed` packs them like CelebA. The same seed
    gives the same faces, and a larger set begins with the faces of a smaller one.
    """
    try:
        config = SynthConfig(
            out=out, count=count, seed=seed, **({} if workers is None else {"workers": workers})
        )
    except FaceaeError as error:
        raise click.UsageError(str(error)) from error
    from faceae.synthetic import write_dataset

    from ._progress import show_image_progress

    with show_image_progress("drawing") as on_progress:
        summary = write_dataset(config, on_progress)
    click.echo(_text(summary))
    packed = propose_beside(out, "packed")
    suggest_next("shard", out, packed, "--crop", 178, "--size", 64)


def _text(summary: SynthSummary) -> str:
    counts = ", ".join(f"{count:,} {part}" for part, count in summary.num_images.items())
    num_images = sum(summary.num_images.values())
    lines = [
        f"{summary.out} is complete: {num_images:,} faces of {summary.num_identities:,} people "
        f"({counts})",
        f"{summary.num_bytes / 1e6:,.1f} MB, "
        f"{summary.num_bytes / num_images / 1e3:.1f} kB per face",
    ]
    if summary.restarted:
        lines.append("pictures of an interrupted run were drawn again")
    return "\n".join(lines)
