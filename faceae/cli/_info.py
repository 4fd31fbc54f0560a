"""faceae info."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from faceae.errors import FaceaeError
from faceae.pictures import PICTURE_FORMATS
from faceae_shards import (
    Dataset,
    GeneratedOptions,
    Location,
    PackOptions,
    count_of,
    inspect_dataset,
    parse_location,
)

from ._command import option, verb
from ._outputs import check_out_file

_NUM_PREVIEWED = 64


@verb()
@click.argument("data", type=parse_location)
@option("--json", "as_json", is_flag=True, help="Print JSON: dataset.json and the dataset's hash.")
@option(
    "--preview",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write a contact sheet to FILE (.png or .jpg): up to 64 images of each split.",
)
def command(data: Location, as_json: bool, preview: Path | None) -> None:
    """Print what the dataset DATA contains.

    Checks the sizes of files and the indices. `faceae verify` checks everything.
    """
    if preview is not None:
        _check_preview(preview)
    opened = inspect_dataset(data)
    if preview is not None:
        _write_preview(opened, preview)
    if as_json:
        click.echo(json.dumps(opened.to_json(), indent=1, ensure_ascii=False))
    else:
        click.echo(_text(opened))


def _check_preview(path: Path) -> None:
    if path.suffix.lower() not in PICTURE_FORMATS:
        raise FaceaeError(f"{path}: a contact sheet must end in {', '.join(PICTURE_FORMATS)}")
    check_out_file(path)


def _write_preview(dataset: Dataset, path: Path) -> None:
    from faceae.pictures import save_contact_sheet
    from faceae_shards import read_first_images

    pictures = {}
    for split in dataset.splits:
        images = read_first_images(dataset, split, _NUM_PREVIEWED)
        pictures[f"{split}: {len(images):,} of {dataset.num_samples(split):,}"] = images
    save_contact_sheet(path, pictures)


def _text(dataset: Dataset) -> str:
    manifest = dataset.manifest
    config, source = manifest.config, manifest.config.source
    size = dataset.image_size
    rows = {
        "source": f"{source.kind} {source.name}, {count_of(source.num_images, 'image')}",
        "encoding": dataset.encoding,
        "image size": f"{size[1]}x{size[0]}" if size else "as in the source",
        "crop, size": f"{config.crop or 'none'}, {config.size or 'none'}",
        **_describe_alignment(config),
        "split by": _describe_split_by(dataset),
        **{split: _describe_split(dataset, split) for split in dataset.splits},
        "annotations": ", ".join(manifest.annotations) or "none",
        "attributes": ", ".join(dataset.attribute_names) or "none",
        "converted": f"{manifest.num_converted:,}",
        **_describe_rare_counts(dataset),
        "duplicates": f"{manifest.num_duplicates:,}",
        "rejected": _describe_counts(manifest.num_rejected) or "none",
        "ignored": count_of(source.num_ignored, "file"),
        "hash": dataset.hash,
    }
    lines = [f"{name:<12} {value}" for name, value in rows.items()]
    lines.extend(f"{'note':<12} {note}" for note in manifest.notes)
    return "\n".join(lines)


def _describe_alignment(config: PackOptions | GeneratedOptions) -> dict[str, str]:
    if isinstance(config, PackOptions) and config.align is not None:
        return {"aligned": f"the {config.align} face" if config.align != "all" else "all faces"}
    return {}


def _describe_rare_counts(dataset: Dataset) -> dict[str, str]:
    """Return rows for what few datasets have."""
    manifest = dataset.manifest
    counts = {
        "repaired": manifest.num_repaired,
        "bad profile": manifest.num_profiles_ignored,
        "far larger": manifest.num_far_larger,
        "enlarged": manifest.num_enlarged,
        "turned": manifest.num_turned,
    }
    return {name: f"{count:,}" for name, count in counts.items() if count}


def _describe_split_by(dataset: Dataset) -> str:
    by, config = dataset.manifest.split_by, dataset.manifest.config
    seed = config.seed if isinstance(config, PackOptions) else config.depends_on.get("seed")
    return by if seed is None else f"{by}, seed {seed}"


def _describe_split(dataset: Dataset, split: str) -> str:
    shards = dataset.splits[split]
    num_bytes = sum(shard.num_bytes for shard in shards)
    num_images = count_of(dataset.num_samples(split), "image")
    return f"{num_images}, {count_of(len(shards), 'shard')}, {num_bytes / 1e6:,.1f} MB"


def _describe_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
