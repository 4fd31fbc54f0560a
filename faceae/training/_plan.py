"""Plans a run: what its options leave open, and what a resumed run may change."""

import dataclasses
import importlib.metadata
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import faceae
from faceae.data import count_cached_bytes
from faceae.device import choose_amp, choose_cache, resolve_device, why_no_cuda
from faceae.errors import FaceaeError
from faceae.model import IMAGE_SIZES, ModelConfig
from faceae.runs import DtypeName, Run, TrainConfig, read_run, run_file
from faceae.tracking import check_trackers
from faceae_shards import Dataset, PackOptions, ShardsError, read_first_images
from faceae_shards.faces import Place, check_detector, measure_place

from ._going_on import drop_large_batch, extend_run, fit_batch

log = logging.getLogger(__name__)

_DEFAULT_IMAGE_SIZE = 64
_NUM_MEASURED = 32
"""Training images in which faces are located, where they were not aligned."""
_HELD_OUT_SPLITS = ("valid", "test")
_PACKAGES = ("torch", "nvidia-dali-cuda120", "webdataset", "numpy")
_FREE_OPTIONS = frozenset({"early_stop", "keep_checkpoints", "tracker"})
"""Fields of TrainConfig that may change whenever a run continues: no weights depend on them."""
_RESTART_OPTIONS = frozenset({"accumulate", "batch_size", "sync_batchnorm"})
"""Fields of TrainConfig that may change where a run continues from the end of an epoch."""


def plan_run(
    config: TrainConfig, dataset: Dataset, device: torch.device, world_size: int = 1
) -> Run:
    """Choose what `config` leaves open. Writes nothing.

    Args:
        world_size: number of processes that train together.

    Raises:
        FaceaeError: the folder is not empty, the dataset has no held-out split, or its images are
            too small.
    """
    _check_folder(config.run)
    check_trackers(config.tracker)
    model = ModelConfig(
        image_size=_choose_image_size(config.image_size, dataset),
        latent_size=config.latent_size,
        width=config.width,
        variant=config.model,
    )
    held_out_split = _choose_held_out_split(dataset)
    config = fit_batch(config, dataset.num_samples("train"), world_size)
    amp = choose_amp(device, config.amp)
    cached_bytes = count_cached_bytes(dataset, "train", model.image_size)
    cache = choose_cache(device, config.cache, cached_bytes)
    return Run(
        config=config,
        model=model,
        dataset_hash=dataset.hash,
        crop=dataset.crop,
        aligned=dataset.is_aligned,
        place=None if dataset.is_aligned is not False else _measure_place(dataset),
        num_train_images=dataset.num_samples("train"),
        held_out_split=held_out_split,
        device="cuda" if device.type == "cuda" else "cpu",
        dtype=_name_dtype(amp.dtype),
        dtype_reason=amp.reason,
        cache=cache.place,
        cache_reason=cache.reason,
        versions=_read_versions(),
    )


def _measure_place(dataset: Dataset) -> Place | None:
    """Return where faces lie in training images; None where no detector is installed."""
    try:
        check_detector()
    except ShardsError as error:
        log.debug("faces are not located: %s", error)
        return None
    return measure_place(read_first_images(dataset, "train", _NUM_MEASURED))


def reopen_run(path: Path, asked: Mapping[str, Any], *, restart_epoch: bool) -> Run:
    """Return the run in folder `path` with the options to resume it with. Writes nothing.

    Args:
        asked: fields of TrainConfig that were given, with their values. A larger number of epochs
            extends a run that is finished.
        restart_epoch: whether the run continues from the end of an epoch, which allows another
            batch size.

    Raises:
        FaceaeError: there is no run, or options differ from those it was started with.
    """
    run = read_run(path)
    asked = drop_large_batch(run, asked)
    changeable = _FREE_OPTIONS | (_RESTART_OPTIONS if restart_epoch else frozenset())
    changed = {name: asked[name] for name in changeable & asked.keys()}
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, **changed))
    run = extend_run(run, asked)
    _check_options(run, asked)
    check_trackers(run.config.tracker)
    return run


def check_dataset(run: Run, dataset: Dataset) -> None:
    """Raise FaceaeError unless `dataset` holds what the run was started with."""
    if dataset.hash != run.dataset_hash:
        raise FaceaeError(
            f"{dataset.location}: not the data {run.path} was started with ({run.config.data}), or "
            "packed with other options; give that one, or start a new `run`"
        )


def find_device(run: Run) -> torch.device:
    """Return a device of the type that the run was started on, since others round differently.

    Raises:
        FaceaeError: this machine has no such device.
    """
    if run.device == "cuda" and not torch.cuda.is_available():
        raise FaceaeError(
            f"{run.path} was started on cuda, and {why_no_cuda()[0]}; resume it on a machine with "
            "a GPU, or start a new `run`"
        )
    return resolve_device(run.device)


def _check_options(run: Run, asked: Mapping[str, object]) -> None:
    chosen = dataclasses.asdict(run.config) | {
        "image_size": run.model.image_size,
        "lr": run.config.peak_lr,
    }
    if asked.get("device") != "auto":
        chosen["device"] = run.device
    if asked.get("amp") is False and run.dtype == "float32":
        chosen["amp"] = False  # as run.toml has it
    different = [name for name, value in asked.items() if _resolve(value) != _resolve(chosen[name])]
    if different:
        pairs = ", ".join(
            f"`{name}` is {asked[name]} where the run has {chosen[name]}" for name in different
        )
        restart = "pass `restart_epoch=True`, " if _RESTART_OPTIONS.issuperset(different) else ""
        raise FaceaeError(
            f"{run.path}: {pairs}; a resumed run keeps its options: leave them out, {restart}"
            "or start a new `run`"
        )


def _resolve(value: object) -> object:
    return value.absolute() if isinstance(value, Path) else value


def _check_folder(path: Path) -> None:
    if run_file(path).exists():
        raise FaceaeError(
            f"`run` {path}: there is a run already; pass `resume=True` to continue it, "
            "or give another folder"
        )
    if path.exists() and not path.is_dir():
        raise FaceaeError(f"`run` {path}: is a file; give a new folder")
    if path.is_dir() and any(path.iterdir()):
        raise FaceaeError(f"`run` {path}: is not empty; give a new folder")


def _choose_image_size(requested: int | None, dataset: Dataset) -> int:
    packed = None if dataset.image_size is None else min(dataset.image_size)
    if requested is None:
        requested = packed if packed in IMAGE_SIZES else _DEFAULT_IMAGE_SIZE
    if packed is not None and packed < requested:
        raise FaceaeError(
            f"{dataset.location}: the shorter side of its images is {packed} pixels, less than the "
            f"{requested} to train on; pack them with `size={requested}`, or give `image_size`"
        )
    return requested


def _choose_held_out_split(dataset: Dataset) -> str:
    for split in _HELD_OUT_SPLITS:
        if split in dataset.splits:
            return split
    raise FaceaeError(
        f"{dataset.location}: no held-out split (valid or test) to measure quality on; "
        f"{_explain_no_held_out(dataset)}"
    )


def _explain_no_held_out(dataset: Dataset) -> str:
    """Return what to do about a dataset without a held-out split; not what was done already."""
    if dataset.manifest.split_by in ("source", "partition"):
        return "its source names splits and has none of these; add a folder named valid"
    config = dataset.manifest.config
    if isinstance(config, PackOptions) and config.split is not None and any(config.split[1:]):
        return f"its {dataset.num_samples('train')} images are too few to split; pack more"
    return "pack it again with a `split` of 0.9,0.05,0.05"


def _name_dtype(dtype: torch.dtype | None) -> DtypeName:
    names: dict[torch.dtype | None, DtypeName] = {
        None: "float32",
        torch.bfloat16: "bfloat16",
        torch.float16: "float16",
    }
    return names[dtype]


def _read_versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"faceae": faceae.__version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions
