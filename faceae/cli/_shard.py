"""faceae shard."""

from typing import Literal

import click

from faceae_shards import MIN_SIDE, Location, PackConfig, PackSummary, ShardsError, parse_location

Split = tuple[float, float, float]


def _parse_split(ctx: click.Context, param: click.Parameter, value: str) -> Split:
    try:
        train, valid, test = (float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not like 0.9,0.05,0.05") from error
    return train, valid, test


@click.command()
@click.argument("source", type=parse_location)
@click.argument("out", type=parse_location)
@click.option(
    "--crop",
    type=click.IntRange(min=MIN_SIDE),
    metavar="N",
    help=f"Keep the centre square of N pixels, at least {MIN_SIDE}.",
)
@click.option(
    "--size",
    type=click.IntRange(min=MIN_SIDE),
    metavar="N",
    help="Scale the shorter side to N pixels, then keep the centre square.",
)
@click.option(
    "--encoding",
    type=click.Choice(["jpg", "npy"]),
    default=PackConfig.encoding,
    show_default=True,
    help="npy holds raw pixels: larger, and much faster to load.",
)
@click.option(
    "--samples-per-shard",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="64 to 4096, more for more images",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=PackConfig.seed,
    show_default=True,
    help="Of the split and the stored order.",
)
@click.option(
    "--drop-duplicates",
    is_flag=True,
    help="Leave out images whose files hold the same bytes as an earlier one's.",
)
@click.option(
    "--max-rejected",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    default=PackConfig.max_rejected,
    show_default=True,
    help="Stop when more of the images are bad. Ten always may be, unless it is 0.",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default=PackConfig.executor,
    show_default=True,
    help="Processes of this machine, or tasks on a Ray cluster, one a shard.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of the Ray cluster's head; local starts one on this machine.  "
    "[default: RAY_ADDRESS, else the one that runs on this machine]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes; with Ray, tasks at once.  [default: one a core; as many as it has CPUs]",
)
@click.option(
    "--image-column",
    metavar="NAME",
    help="Pictures to pack where SOURCE has several kinds, such as masks beside photographs: a "
    "column of Parquet files, a folder inside SOURCE, or the extension of members of shards.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=MIN_SIDE**2),
    metavar="N",
    default=PackConfig.max_pixels,
    show_default=True,
    help="Refuse images of more pixels, as decompression bombs may be.",
)
@click.option(
    "--split",
    metavar="A,B,C",
    callback=_parse_split,
    default=",".join(map(str, PackConfig.split)),
    show_default=True,
    help="Shares of train, valid and test where the source has no partition of its own.",
)
def command(
    source: Location,
    out: Location,
    crop: int | None,
    size: int | None,
    encoding: Literal["jpg", "npy"],
    samples_per_shard: int | None,
    seed: int,
    drop_duplicates: bool,
    max_rejected: float,
    executor: Literal["local", "ray"],
    address: str | None,
    workers: int | None,
    image_column: str | None,
    max_pixels: int,
    split: Split,
) -> None:
    """Pack the photographs of SOURCE into the new dataset OUT.

    SOURCE is a folder, a zip, a tar, a Parquet file, a folder of WebDataset shards or of Parquet
    files, or a text file with one path or URL a line; or the URL of such (s3://, gs://, https://).
    Every image is decoded before it is packed; what cannot be used is refused and listed in
    OUT/rejected.jsonl. An interrupted pack goes on when the same command is run again. OUT may be
    the prefix of an object store, such as s3://bucket/faces.
    """
    try:
        config = PackConfig(
            source=source,
            out=out,
            crop=crop,
            size=size,
            encoding=encoding,
            samples_per_shard=samples_per_shard,
            split=split,
            seed=seed,
            drop_duplicates=drop_duplicates,
            max_rejected=max_rejected,
            executor=executor,
            address=address,
            workers=workers,
            image_column=image_column,
            max_pixels=max_pixels,
        )
    except ShardsError as error:
        raise click.UsageError(str(error)) from error
    from faceae.cli._progress import show_image_progress
    from faceae_shards import pack

    with show_image_progress("packing") as on_progress:
        summary = pack(config, on_progress)
    click.echo(_text(summary))


def _text(summary: PackSummary) -> str:
    counts = ", ".join(f"{count:,} {split}" for split, count in summary.num_samples.items())
    done = "was complete already" if summary.already_complete else "is complete"
    lines = [
        f"{summary.out} {done}: {counts} images",
        f"split by {summary.split_by}"
        + (f": {reason}" if (reason := summary.split_reason) else ""),
        f"{summary.num_shards} shards, {summary.num_bytes / 1e6:,.1f} MB",
    ]
    lines.extend(f"note: {note}" for note in summary.notes)
    if summary.num_converted:
        lines.append(f"converted to upright sRGB JPEG: {summary.num_converted:,}")
    if summary.num_repaired:
        lines.append(f"repaired, damaged only around their pixels: {summary.num_repaired:,}")
    if summary.num_profiles_ignored:
        lines.append(
            f"taken for sRGB, their colour profiles are damaged: {summary.num_profiles_ignored:,}"
        )
    if summary.num_duplicates:
        lines.append(
            f"same bytes as another image: {summary.num_duplicates:,}; "
            "--drop-duplicates leaves them out"
        )
    if summary.num_ignored:
        lines.append(f"ignored, not named like an image: {summary.num_ignored:,} files")
    for reason, count in summary.num_rejected.items():
        names = ", ".join(summary.rejected_examples[reason])
        more = ", …" if count > len(summary.rejected_examples[reason]) else ""
        lines.append(f"refused, {reason}: {count:,} ({names}{more})")
    if summary.num_rejected:
        lines.append(f"all refusals with their causes: {summary.rejected_list}")
    return "\n".join(lines)
