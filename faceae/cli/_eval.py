"""faceae eval."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from faceae.errors import FaceaeError
from faceae_shards import Location, parse_location

from ._outputs import check_out_file
from ._progress import report_batches, show_image_progress
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from faceae.data import Loader
    from faceae.device import DeviceName
    from faceae.evaluation import EvalRecord, PcaRecord, Quality, RankedFace, Reconstruct, Score
    from faceae.model import FaceAutoEncoder
    from faceae.runs import Run
    from faceae_shards import Dataset

_NUM_RANKED = 8
_FIT_SPLIT = "train"


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
    from contextlib import ExitStack, closing

    from faceae.data import LoaderConfig, make_loader
    from faceae.device import count_decode_threads, resolve_device
    from faceae.model import load_model
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    run = read_run(run_path)
    out = _choose_out(run, split, out)
    on_device = resolve_device(device)
    model = load_model(run.model_path, on_device)
    fetch_dataset(data)
    dataset = open_dataset(data)
    places = _choose_fit_faces(dataset, model) if with_pca else None
    with ExitStack() as stack:

        def open_loader(split: str) -> "Loader":
            config = LoaderConfig(
                split=split,
                batch_size=batch_size,
                image_size=model.config.image_size,
                training=False,
                num_threads=count_decode_threads(),
            )
            return stack.enter_context(
                closing(make_loader(loader_kind, dataset, config, on_device))
            )

        held_out = open_loader(split)
        quality = _measure("model", model, held_out)
        pca = None
        if places is not None:
            pca = _measure_pca(open_loader(_FIT_SPLIT), held_out, places, model)
        record = _make_record(run, dataset, split, model, quality, pca)
        _draw(out.with_suffix(".png"), record, model, held_out)
    record.save(out)
    click.echo(_summarise(out, record))
    click.echo(f"measured on {on_device}, read by {held_out.reader}")
    for note in _find_notes(run, data, dataset):
        click.echo(f"note: {note}")


def _choose_out(run: "Run", split: str, out: Path | None) -> Path:
    out = out or run.path / f"eval-{split}.json"
    if out.suffix != ".json":
        raise FaceaeError(f"{out}: the figures are JSON; give a name that ends in .json")
    check_out_file(out)
    return out


def _choose_fit_faces(dataset: "Dataset", model: "FaceAutoEncoder") -> "NDArray[np.int64]":
    from faceae.evaluation import choose_faces

    config = model.config
    return choose_faces(dataset.num_samples(_FIT_SPLIT), config.image_size, config.latent_size)


def _measure(title: str, reconstruct: "Reconstruct", loader: "Loader") -> "Quality":
    from faceae.evaluation import measure_quality

    with show_image_progress(title) as show:
        return measure_quality(reconstruct, report_batches(loader, show))


def _measure_pca(
    train: "Loader", held_out: "Loader", places: "NDArray[np.int64]", model: "FaceAutoEncoder"
) -> "PcaRecord":
    from faceae.evaluation import PcaRecord, Score, fit_pca, take_faces

    num_components = model.config.latent_size
    with show_image_progress("faces for PCA") as show:
        faces = take_faces(report_batches(train, show), places)
    click.echo(f"fitting {num_components:,} components to {len(faces):,} faces ...", err=True)
    pca = fit_pca(faces, num_components)
    return PcaRecord(
        num_components=num_components,
        num_fit_images=len(faces),
        num_train_images=train.num_samples,
        score=Score.of(_measure("PCA", pca.reconstruct, held_out)),
    )


def _make_record(
    run: "Run",
    dataset: "Dataset",
    split: str,
    model: "FaceAutoEncoder",
    quality: "Quality",
    pca: "PcaRecord | None",
) -> "EvalRecord":
    from faceae.evaluation import EvalRecord, Score
    from faceae.model import weights_hash

    ranked = quality.rank_faces()
    return EvalRecord(
        split=split,
        num_images=len(ranked),
        dataset_hash=dataset.hash,
        is_run_dataset=dataset.hash == run.dataset_hash,
        weights_hash=weights_hash(model),
        model=Score.of(quality),
        pca=pca,
        worst=ranked[:_NUM_RANKED],
        best=ranked[::-1][:_NUM_RANKED],
    )


def _draw(path: Path, record: "EvalRecord", model: "FaceAutoEncoder", loader: "Loader") -> None:
    """Write four rows: the worst faces, what the model makes of them, and the same of the best."""
    import numpy as np
    import torch

    from faceae.device import full_float32
    from faceae.evaluation import take_faces
    from faceae.model import to_float, to_uint8
    from faceae.pictures import save_grid

    places = np.array([face.index for face in record.worst + record.best])
    faces_NCHW = take_faces(loader, places)
    with torch.inference_mode(), full_float32():
        reconstructed_NCHW = to_uint8(model(to_float(faces_NCHW)))
    worst, best = np.split(faces_NCHW.permute(0, 2, 3, 1).cpu().numpy(), 2)
    worst_back, best_back = np.split(reconstructed_NCHW.permute(0, 2, 3, 1).cpu().numpy(), 2)
    images_NHWC = np.concatenate([worst, worst_back, best, best_back])
    save_grid(path, images_NHWC, columns=len(worst))


def _summarise(out: Path, record: "EvalRecord") -> str:
    lines = [
        f"{out}: {record.num_images:,} faces ({record.split})",
        f"{'':16}     PSNR  mean PSNR of a face    SSIM",
        _describe("model", record.model),
    ]
    pca = record.pca
    if pca is not None:
        fitted = (
            f"   fitted on {pca.num_fit_images:,} of {pca.num_train_images:,} faces ({_FIT_SPLIT})"
        )
        lines.append(_describe(f"PCA, {pca.num_components:,}", pca.score) + fitted)
    lines += [
        f"{out.with_suffix('.png')}: the worst faces over their reconstructions, then the best",
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
