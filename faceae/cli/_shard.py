"""faceae shard."""

from typing import Literal

import click

from faceae_shards import (
    MIN_SIDE,
    NO_FACE,
    Location,
    PackConfig,
    PackSummary,
    ShardsError,
    count_of,
    parse_location,
)

from ._command import (
    address_option,
    executor_option,
    option,
    say,
    section,
    verb,
)
from ._outputs import suggest_training

Split = tuple[float, float, float]


def _parse_split(ctx: click.Context, param: click.Parameter, value: str) -> Split:
    try:
        train, valid, test = (float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not like 0.9,0.05,0.05") from error
    return train, valid, test


@verb()
@click.argument("source", type=parse_location)
@click.argument("out", type=parse_location)
@section(
    "Images",
    option(
        "--crop",
        type=click.IntRange(min=MIN_SIDE),
        metavar="N",
        show_default="no cropping, or 178 with --align",
        help="Keep the centre square, N pixels wide.",
    ),
    option(
        "--size",
        type=click.IntRange(min=MIN_SIDE),
        metavar="N",
        show_default="no scaling",
        help="Scale the shorter side to N pixels, then keep the centre square.",
    ),
    option(
        "--align",
        is_flag=True,
        help="Detect the face in each image, and align and crop the image as in CelebA (178x218 "
        "pixels; --crop comes after). Landmarks or boxes in SOURCE are used instead of detection. "
        "Needs faceae[align].",
    ),
    option(
        "--face",
        type=click.Choice(["largest", "centre", "all"]),
        default=PackConfig.face,
        help="With --align: face to keep if an image has several. all: one image per face.",
    ),
    option(
        "--encoding",
        type=click.Choice(["jpg", "npy"]),
        default=PackConfig.encoding,
        help="jpg: JPEG; JPEG files that need no change are copied. npy: raw pixels, which are "
        "larger and load faster; needs --size.",
    ),
    option(
        "--image-column",
        metavar="NAME",
        help="What to pack if SOURCE has several images per sample, such as masks beside "
        "photographs: a Parquet column, a folder in SOURCE, or a file extension in shards.",
    ),
    option(
        "--drop-duplicates",
        is_flag=True,
        help="Leave out files that have the same bytes as an earlier one.",
    ),
    option(
        "--max-rejected",
        type=click.FloatRange(0, 1),
        metavar="FRACTION",
        default=PackConfig.max_rejected,
        help="Stop if a larger fraction of the images cannot be used. Up to ten such images never "
        "stop a pack. 0 stops at the first one. Images without a face do not count.",
    ),
    option(
        "--max-pixels",
        type=click.IntRange(min=MIN_SIDE**2),
        metavar="N",
        default=PackConfig.max_pixels,
        help="Reject images of more than N pixels.",
    ),
)
@section(
    "Splits and shards",
    option(
        "--split",
        metavar="A,B,C",
        callback=_parse_split,
        default=",".join(map(str, PackConfig.split)),
        help="Fractions of the images for train, valid and test, unless SOURCE has splits.",
    ),
    option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        default=PackConfig.seed,
        help="Seed of the random split and of the order in the shards.",
    ),
    option(
        "--samples-per-shard",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="64 to 4096, growing with the number of images",
        help="Images per shard.",
    ),
)
@section(
    "Processes",
    option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="one per core; with Ray one per CPU of the cluster",
        help="Number of processes, or of Ray tasks that run at once.",
    ),
    executor_option(PackConfig.executor, "local: this machine. ray: a Ray cluster."),
    address_option,
)
def command(
    source: Location,
    out: Location,
    crop: int | None,
    size: int | None,
    align: bool,
    face: Literal["largest", "centre", "all"],
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

    \b
    SOURCE may be
      a folder of images, of WebDataset shards, or of Parquet files
      a zip, tar or Parquet file
      a text file with one path or URL per line
      a URL of any of these (s3://, gs://, https://)

    OUT is a folder, or a prefix in an object store such as s3://bucket/faces.

    Every image is decoded before it is packed. OUT/rejected.jsonl lists the images that cannot be
    used. To continue an interrupted pack, run the same command again.
    """
    try:
        config = PackConfig(
            source=source,
            out=out,
            crop=crop,
            size=size,
            align=align,
            face=face,
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
    from faceae_shards import pack

    from ._progress import show_image_progress

    with show_image_progress("packing") as on_progress:
        summary = pack(config, on_progress)
    say(_text(summary))
    suggest_training(out)


def _text(summary: PackSummary) -> str:
    counts = ", ".join(f"{count:,} {split}" for split, count in summary.num_samples.items())
    done = "was complete already" if summary.already_complete else "is complete"
    lines = [
        f"{summary.out} {done}: {counts} images",
        ": ".join(filter(None, (f"split by {summary.split_by}", summary.split_reason))),
        f"{count_of(summary.num_shards, 'shard')}, {summary.num_bytes / 1e6:,.1f} MB",
    ]
    lines.extend(f"note: {note}" for note in summary.notes)
    lines.extend(f"warning: {warning}" for warning in summary.warnings)
    if summary.num_converted:
        lines.append(f"not upright sRGB JPEG in the source, converted: {summary.num_converted:,}")
    if summary.num_turned:
        lines.append(f"turned, their faces lay on the side or upside down: {summary.num_turned:,}")
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
        num_ignored = count_of(summary.num_ignored, "file")
        lines.append(f"ignored, not named like an image: {num_ignored}")
    for reason, count in summary.num_rejected.items():
        names = ", ".join(summary.rejected_examples[reason])
        more = ", …" if count > len(summary.rejected_examples[reason]) else ""
        lines.append(f"rejected, {reason}: {count:,} ({names}{more})")
    if NO_FACE in summary.num_rejected:
        lines.append("images without a face do not count towards `max_rejected`")
    if summary.num_rejected:
        lines.append(f"all rejected images, with reasons: {summary.rejected_list}")
    return "\n".join(lines)
