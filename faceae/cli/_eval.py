"""faceae eval."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae_shards import Location, parse_location

from ._outputs import check_out_file
from ._progress import show_stage_progress
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faceae.device import DeviceName
    from faceae.evaluation import Evaluation, RankedFace, Score
    from faceae.runs import Run
    from faceae_shards import Dataset


@click.command()
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("data", type=parse_location)
@click.option("--split", default="test", show_default=True, help="Part of DATA to measure on.")
@click.option(
    "-o",
    "out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="RUN/eval-SPLIT.json",
    help="Where to write; the picture lies beside it.",
)
@click.option(
    "--pca/--no-pca",
    "with_pca",
    default=True,
    show_default=True,
    help="Compare with principal components of the training split of DATA.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", default=64, show_default=True
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
@click.option(
    "--loader",
    "loader_kind",
    type=click.Choice(["auto", "dali", "webdataset"]),
    default="auto",
    show_default=True,
)
def command(
    run_path: Path,
    data: Location,
    split: str,
    out: Path | None,
    with_pca: bool,
    batch_size: int,
    device: "DeviceName",
    loader_kind: Literal["auto", "dali", "webdataset"],
) -> None:
    """Measure RUN's model on a split of DATA: PSNR, SSIM, and both for PCA of its latent size.

    PCA is fitted on the training split, or on a random part of it where all would take more than
    1 GiB. FILE receives the figures and the places of the worst and the best faces in the split,
    counted from 0; the picture of the same name shows these: the worst over their
    reconstructions, and below the best over theirs.
    """
    from faceae.evaluation import EvalConfig, evaluate_run
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    run = read_run(run_path)
    out = out or run.eval_path(split)
    check_out_file(out)
    fetch_dataset(data)
    dataset = open_dataset(data)
    config = EvalConfig(
        split=split, pca=with_pca, batch_size=batch_size, device=device, loader=loader_kind
    )
    with show_stage_progress() as show:
        evaluation = evaluate_run(run, dataset, out, config, show)
    click.echo(_summarise(evaluation))
    click.echo(f"measured on {evaluation.device}, read by {evaluation.reader}")
    for note in _find_notes(run, data, dataset):
        click.echo(f"note: {note}")


def _summarise(evaluation: "Evaluation") -> str:
    record = evaluation.record
    lines = [
        f"{evaluation.path}: {record.num_images:,} faces ({record.split})",
        f"{'':16}     PSNR  mean PSNR of a face    SSIM",
        _describe("model", record.model),
    ]
    pca = record.pca
    if pca is not None:
        fitted = f"   fitted on {pca.num_fit_images:,} of {pca.num_train_images:,} faces (train)"
        lines.append(_describe(f"PCA, {pca.num_components:,}", pca.score) + fitted)
    lines += [
        f"{evaluation.picture}: the worst faces over their reconstructions, then the best",
        "worst: " + _list_faces(record.worst),
        "best: " + _list_faces(record.best),
    ]
    return "\n".join(lines)


def _describe(name: str, score: "Score") -> str:
    return (
        f"{name:16} {score.psnr_db:5.2f} dB {score.mean_image_psnr_db:17.2f} dB  {score.ssim:6.4f}"
    )


def _list_faces(faces: "Iterable[RankedFace]") -> str:
    return ", ".join(f"{face.index} ({face.psnr_db:.1f} dB)" for face in faces)


def _find_notes(run: "Run", data: Location, dataset: "Dataset") -> list[str]:
    notes = []
    if dataset.hash != run.dataset_hash:
        notes.append(
            f"{data} is not the data {run.path} was trained on, or packed otherwise: it "
            "may have been trained on some of these faces"
        )
    crop = dataset.crop
    if crop != run.crop:
        notes.append(
            f"these faces are {_describe_crop(crop)}, those the run was trained on are "
            f"{_describe_crop(run.crop)}: other framing, other figures"
        )
    return notes


def _describe_crop(crop: int | None) -> str:
    return "uncut" if crop is None else f"cut to {crop} pixels"
