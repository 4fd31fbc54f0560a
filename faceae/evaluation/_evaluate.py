"""Evaluates a run's model on a split: figures, and a picture of the worst and the best faces."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import Loader, LoaderKind, OnImages, open_split, report_batches
from faceae.device import DeviceName, full_float32, resolve_device
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, load_model, to_float, to_uint8, weights_hash
from faceae.pictures import save_grid
from faceae.runs import Run
from faceae_shards import Dataset, read_names

from ._pca import choose_faces, fit_pca
from ._quality import Quality, measure_quality, take_faces
from ._record import EvalRecord, PcaRecord, Score

OnProgress = Callable[[str, int, int], None]
"""Receives the name of a stage, the number of its faces done, and of all its faces."""

_NUM_RANKED = 8
_FIT_SPLIT = "train"


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Options of an evaluation."""

    split: str = "test"
    """Split to measure on."""
    pca: bool = True
    """Compare with the principal components of the training split."""
    batch_size: int = 64
    """Faces per batch. Does not change the figures."""
    device: DeviceName = "auto"
    """Device to measure on; auto: the GPU if there is one."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The figures of an evaluation, its files, and how it was done."""

    record: EvalRecord
    path: Path
    """File of the figures, JSON."""
    picture: Path
    """Four rows: the worst faces, their reconstructions, the best faces, their reconstructions."""
    device: torch.device
    reader: str
    """Name and version of the library that read the faces."""


def evaluate_run(
    run: Run,
    dataset: Dataset,
    out: Path | None = None,
    config: EvalConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Evaluation:
    """Measure the best weights of a run on a split of a dataset, and write figures and picture.

    Args:
        out: file of the figures, which ends in .json; the picture lies beside it and ends in .png.
            None: `run.eval_path(split)`.
        on_progress: receives the stage (`model`, `faces for PCA`, `fit of PCA` or `PCA`), and how
            many of its faces are done.

    Raises:
        FaceaeError, ShardsError: the run has no weights, the dataset no such split, the training
            split too few faces for PCA, an image cannot be read, or `out` has another suffix.
    """
    config = config or EvalConfig()
    out = out or run.eval_path(config.split)
    if out.suffix != ".json":
        raise FaceaeError(f"{out}: the figures are JSON; give a name that ends in .json")
    device = resolve_device(config.device)
    model = load_model(run.model_path, device)
    places = _choose_fit_faces(dataset, model) if config.pca else None
    open_loader = partial(
        open_split,
        dataset,
        image_size=model.config.image_size,
        device=device,
        batch_size=config.batch_size,
        loader=config.loader,
    )
    with ExitStack() as stack:
        held_out = stack.enter_context(open_loader(split=config.split))
        quality = measure_quality(model, report_batches(held_out, _stage(on_progress, "model")))
        pca = None
        if places is not None:
            train = stack.enter_context(open_loader(split=_FIT_SPLIT))
            pca = _measure_pca(train, held_out, places, model.config.latent_size, on_progress)
        record = _make_record(run, dataset, config.split, model, quality, pca)
        picture = out.with_suffix(".png")
        _draw(picture, record, model, held_out)
    record.save(out)
    return Evaluation(
        record=record, path=out, picture=picture, device=device, reader=held_out.reader
    )


def _stage(on_progress: OnProgress, stage: str) -> OnImages:
    return lambda done, total: on_progress(stage, done, total)


def _choose_fit_faces(dataset: Dataset, model: FaceAutoEncoder) -> NDArray[np.int64]:
    config = model.config
    return choose_faces(dataset.num_samples(_FIT_SPLIT), config.image_size, config.latent_size)


def _measure_pca(
    train: Loader,
    held_out: Loader,
    places: NDArray[np.int64],
    num_components: int,
    on_progress: OnProgress,
) -> PcaRecord:
    faces = take_faces(report_batches(train, _stage(on_progress, "faces for PCA")), places)
    on_progress("fit of PCA", 0, len(faces))
    pca = fit_pca(faces, num_components)
    on_progress("fit of PCA", len(faces), len(faces))
    batches = report_batches(held_out, _stage(on_progress, "PCA"))
    return PcaRecord(
        num_components=num_components,
        num_fit_images=len(faces),
        num_train_images=train.num_samples,
        score=Score.of(measure_quality(pca.reconstruct, batches)),
    )


def _make_record(
    run: Run,
    dataset: Dataset,
    split: str,
    model: FaceAutoEncoder,
    quality: Quality,
    pca: PcaRecord | None,
) -> EvalRecord:
    ranked = quality.rank_faces()
    worst, best = ranked[:_NUM_RANKED], ranked[::-1][:_NUM_RANKED]
    names = _read_names(dataset, split, {face.index for face in worst + best})
    return EvalRecord(
        split=split,
        num_images=len(ranked),
        dataset_hash=dataset.hash,
        is_run_dataset=dataset.hash == run.dataset_hash,
        weights_hash=weights_hash(model),
        model=Score.of(quality),
        pca=pca,
        worst=tuple(replace(face, name=names[face.index]) for face in worst),
        best=tuple(replace(face, name=names[face.index]) for face in best),
    )


def _read_names(dataset: Dataset, split: str, indices: set[int]) -> dict[int, str]:
    names = islice(read_names(dataset, split), max(indices) + 1)
    return {index: name for index, name in enumerate(names) if index in indices}


def _draw(path: Path, record: EvalRecord, model: FaceAutoEncoder, loader: Loader) -> None:
    places = np.array([face.index for face in record.worst + record.best])
    faces_NCHW = take_faces(loader, places)
    with torch.inference_mode(), full_float32():
        reconstructed_NCHW = to_uint8(model(to_float(faces_NCHW)))
    worst, best = np.split(faces_NCHW.permute(0, 2, 3, 1).cpu().numpy(), 2)
    worst_back, best_back = np.split(reconstructed_NCHW.permute(0, 2, 3, 1).cpu().numpy(), 2)
    images_NHWC = np.concatenate([worst, worst_back, best, best_back])
    save_grid(path, images_NHWC, columns=len(worst))
