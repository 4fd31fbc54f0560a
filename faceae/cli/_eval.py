"""faceae eval."""

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
    out_option,
    run_argument,
    suggest_next,
    verb,
)
from ._outputs import check_out_file
from ._progress import show_stage_progress
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faceae.device import DeviceName
    from faceae.evaluation import EvalConfig, Evaluation, RankedFace, Score
    from faceae.evaluation.edits import EditQuality, EditRecord
    from faceae.evaluation.samples import SampleQuality, SampleRecord
    from faceae.model import Variant
    from faceae.runs import Run
    from faceae_shards import Dataset


@verb()
@run_argument
@data_argument
@option("--split", default="test", metavar="SPLIT", help="Split of DATA to measure on.")
@out_option(
    "RUN/eval-SPLIT.json",
    "JSON file to write. The picture has the same name, but ends in .png.",
)
@option(
    "--pca/--no-pca",
    "with_pca",
    default=True,
    help="Also measure PCA, as a baseline.",
)
@option(
    "--samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also measure N new faces; `faceae fit` must have run. The figures go to "
    "samples-SPLIT.json beside the JSON file, with pictures of 64 new faces and of training faces "
    "near to some.",
)
@option(
    "--truncation",
    type=click.FloatRange(min=0),
    metavar="FACTOR",
    default=1.0,
    help="With --samples: scale the distance of latents from their mean, as `faceae generate` does "
    "with the same option.",
)
@option(
    "--inception",
    type=click.Path(path_type=Path),
    metavar="WEIGHTS",
    help="Measure new faces in the features of FID. WEIGHTS is torch-fidelity's "
    "pt_inception-2015-12-05-6726825d.pth.",
)
@option(
    "--edits",
    is_flag=True,
    help="Also measure RUN's directions: edit faces of the split, and judge the pictures by a "
    "classifier of pixels. The figures go to edits-SPLIT.json beside the JSON file.",
)
@batch_size_option(64)
@device_option
@loader_option
def command(
    run_path: Path,
    data: Location,
    split: str,
    out: Path | None,
    with_pca: bool,
    samples: int | None,
    truncation: float,
    inception: Path | None,
    edits: bool,
    batch_size: int,
    device: "DeviceName",
    loader_kind: Literal["auto", "dali", "webdataset"],
) -> None:
    """Measure how well RUN's model reconstructs a split of DATA: PSNR and SSIM.

    The baseline is PCA with as many components as the model has latent values. It is fitted on the
    train split, or on a random part of the split if all of it takes more than 1 GiB as float32.

    Writes the numbers to a JSON file, and a picture of the worst and the best faces over their
    reconstructions. The JSON file lists these faces by the file that they were packed from, and by
    their position in the split, from 0.

    With --samples, new faces, reconstructions and photographs of the split are each compared with
    training photographs: distance, variety, sharpness, and signs of copied training faces.

    With --edits, faces of the split are edited along each direction that `faceae directions` found.
    The figures say how many faces turn at strength 2, what else drifts, and whether the person
    stays.
    """
    from faceae.evaluation import EvalConfig, evaluate_run
    from faceae.runs import read_run
    from faceae_shards import open_dataset

    if inception is not None and samples is None:
        raise click.UsageError("--inception measures new faces; add --samples N.")
    if truncation != 1 and samples is None:
        raise click.UsageError("--truncation is for new faces; add --samples N.")
    run = read_run(run_path)
    out = out or run.eval_path(split)
    check_out_file(out)
    fetch_dataset(data)
    dataset = open_dataset(data)
    config = EvalConfig(
        split=split, pca=with_pca, batch_size=batch_size, device=device, loader=loader_kind
    )
    record = None
    if samples is not None:
        samples_out = out.with_name(run.samples_path(split).with_suffix(out.suffix).name)
        record = _measure_samples(
            run,
            dataset,
            samples_out,
            config,
            samples=samples,
            truncation=truncation,
            inception=inception,
        )
    edit_record = None
    if edits:
        edits_out = out.with_name(run.edits_path(split).with_suffix(out.suffix).name)
        edit_record = _measure_edits(run, dataset, edits_out, config)
    with show_stage_progress() as show:
        evaluation = evaluate_run(run, dataset, out, config, show)
    click.echo(_summarise(evaluation, run.model.variant))
    if record is not None:
        click.echo(_summarise_samples(samples_out, record))
    if edit_record is not None:
        click.echo(_summarise_edits(edits_out, edit_record))
    click.echo(f"measured on {evaluation.device}, read by {evaluation.reader}")
    for note in _find_notes(run, data, dataset):
        click.echo(f"note: {note}")
    suggest_next("report", run_path)


def _summarise(evaluation: "Evaluation", variant: "Variant") -> str:
    from faceae.evaluation import describe_reconstruction

    record = evaluation.record
    lines = [
        f"{evaluation.path}: {count_of(record.num_images, 'face')} ({record.split})",
        f"{'':16}     PSNR  mean PSNR of a face    SSIM",
        _describe("model", record.model),
    ]
    pca = record.pca
    if pca is not None:
        fitted = f"   fitted on {pca.num_fit_images:,} of {pca.num_train_images:,} faces (train)"
        lines.append(_describe(f"PCA, {pca.num_components:,}", pca.score) + fitted)
    verdict = describe_reconstruction(record, variant)
    lines += [verdict] if verdict else []
    lines += [
        f"{evaluation.picture}: the worst faces over their reconstructions, then the best",
        "worst: " + _list_faces(record.worst),
        "best: " + _list_faces(record.best),
    ]
    return "\n".join(lines)


def _measure_samples(
    run: "Run",
    dataset: "Dataset",
    out: Path,
    config: "EvalConfig",
    *,
    samples: int,
    truncation: float,
    inception: Path | None,
) -> "SampleRecord":
    from faceae.evaluation.samples import SampleConfig, evaluate_samples

    options = SampleConfig(
        samples=samples,
        truncation=truncation,
        inception=inception,
        split=config.split,
        batch_size=config.batch_size,
        device=config.device,
        loader=config.loader,
    )
    with show_stage_progress() as show:
        return evaluate_samples(run, dataset, out, options, show)


def _summarise_samples(out: Path, record: "SampleRecord") -> str:
    from faceae.evaluation.samples import describe_quality, nearest_path

    count, space = record.new_faces.num_images, record.space
    lines = [
        f"{out}: sets of {count:,} faces against {count:,} training photographs, in the features "
        f"{space.name} {space.version}",
        f"{'':20}  Fréchet   kernel  precision  recall  density  coverage  sharpness  "
        "nearest  copied",
        *(_describe_samples(name, quality) for name, quality in record.rows),
        describe_quality(record),
        f"{out.with_suffix('.png')}: the first 64 new faces of {record.faces}",
        f"{nearest_path(out)}: the 8 new faces that look most like copies, each before its 8 "
        "nearest training faces",
    ]
    if count < record.num_asked:
        lines.insert(1, f"fewer than the {record.num_asked:,} asked for: a split has no more")
    return "\n".join(lines)


def _describe_samples(name: str, quality: "SampleQuality") -> str:
    return (
        f"{name:20} {quality.frechet_distance:8.2f} {quality.kernel_distance:8.3f} "
        f"{quality.precision:10.2f} {quality.recall:7.2f} {quality.density:8.2f} "
        f"{quality.coverage:9.2f} {quality.sharpness:10.2f} {quality.nearest_train:8.2f} "
        f"{quality.copied_share:7.3f}"
    )


def _measure_edits(run: "Run", dataset: "Dataset", out: Path, config: "EvalConfig") -> "EditRecord":
    from faceae.evaluation.edits import EditsConfig, evaluate_edits

    options = EditsConfig(split=config.split, device=config.device, loader=config.loader)
    with show_stage_progress() as show:
        return evaluate_edits(run, dataset, out, options, show)


def _summarise_edits(out: Path, record: "EditRecord") -> str:
    width = max((len(edit.name) for edit in record.edits), default=0)
    persons = "persons" if record.knows_persons else "faces, whose persons are unknown"
    lines = [
        f"{out}: edits of {record.num_faces:,} held-out faces ({record.split}) of "
        f"{record.num_persons:,} {persons}",
        f"{'':{width}}  judge  turned on  turned off  monotonic  same person  mean drift  "
        "largest drift",
        *(_describe_edit(edit, width) for edit in record.edits),
        *(f"{name}: not measured: {reason}" for name, reason in record.not_measured.items()),
    ]
    if record.edits:
        lines.append(f"{out.with_suffix('.png')}: a face at strengths -3 to 3, a direction a row")
    return "\n".join(lines)


def _describe_edit(edit: "EditQuality", width: int) -> str:
    on, off = (
        "-" if share is None else f"{share:.0%}" for share in (edit.turned_on, edit.turned_off)
    )
    other, drift = edit.largest_drift
    return (
        f"{edit.name:{width}}  {edit.judge_accuracy:5.2f}  {on:>9}  {off:>10}  "
        f"{edit.monotonic:9.0%}  {edit.same_person:11.0%}  {edit.mean_drift:10.2f}  "
        f"{other} {drift:+.2f}"
    )


def _describe(name: str, score: "Score") -> str:
    return (
        f"{name:16} {score.psnr_db:5.2f} dB {score.mean_image_psnr_db:17.2f} dB  {score.ssim:6.4f}"
    )


def _list_faces(faces: "Iterable[RankedFace]") -> str:
    return ", ".join(f"{face.name} ({face.psnr_db:.1f} dB)" for face in faces)


def _find_notes(run: "Run", data: Location, dataset: "Dataset") -> list[str]:
    notes = []
    if dataset.hash != run.dataset_hash:
        notes.append(
            f"{run.path} was trained on another dataset than {data}, which may share some of these "
            "faces"
        )
    crop = dataset.crop
    if crop != run.crop:
        notes.append(
            f"these faces are {_describe_crop(crop)}, and the run was trained on faces that are "
            f"{_describe_crop(run.crop)}: results on both are not comparable"
        )
    return notes


def _describe_crop(crop: int | None) -> str:
    return "not cropped" if crop is None else f"cropped to {crop} pixels"
