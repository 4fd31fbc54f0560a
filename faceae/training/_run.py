"""run.json: what a run was asked for and what was chosen for it."""

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

import faceae
from faceae.data import count_cached_bytes
from faceae.device import CachePlace, choose_amp, choose_cache, resolve_device, why_no_cuda
from faceae.errors import FaceaeError
from faceae.model import IMAGE_SIZES, ModelConfig
from faceae_shards import Dataset, holds_files, parse_location, write_json

from ._config import TrainConfig, parse_start

RUN_NAME = "run.json"
_FORMAT = "faceae-run"
_VERSION = 1
_DEFAULT_IMAGE_SIZE = 64
_HELD_OUT_SPLITS = ("valid", "test")
_PACKAGES = ("torch", "nvidia-dali-cuda120", "webdataset", "numpy")
_RESTART_OPTIONS = frozenset({"accumulate", "batch_size", "sync_batchnorm"})
"""Fields of TrainConfig that may change where a run goes on from the end of an epoch."""

DtypeName = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run: what was asked, and what was chosen once for all of it."""

    config: TrainConfig
    model: ModelConfig
    dataset_hash: str
    crop: int | None
    """Pixels; side of the centre square the pictures were cut to when packed, and so must others
    be that are shown to the model. None: they were not cut."""
    num_train_images: int
    held_out_split: str
    """The split quality is measured on."""
    device: Literal["cpu", "cuda"]
    """Type of the device."""
    dtype: DtypeName
    """Type the training computes in."""
    dtype_reason: str
    cache: CachePlace
    """Where the training faces are held."""
    cache_reason: str
    versions: Mapping[str, str | None]
    """Of faceae and the packages results depend on; None: not installed."""

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.config.run

    @property
    def model_path(self) -> Path:
        """The best weights so far; there once the first epoch is done."""
        return self.path / "model.safetensors"

    @property
    def checkpoints_path(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def amp_dtype(self) -> torch.dtype | None:
        """Type autocast computes in; None: float32 throughout."""
        return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]


def plan_run(config: TrainConfig, dataset: Dataset, device: torch.device) -> Run:
    """Choose what `config` leaves open. Writes nothing.

    Raises:
        FaceaeError: the folder is taken, there is nothing to measure quality on, or no model fits.
    """
    _check_folder(config.run)
    model = ModelConfig(
        image_size=_choose_image_size(config.image_size, dataset),
        latent_size=config.latent_size,
        width=config.width,
        variant=config.model,
    )
    held_out_split = _choose_held_out_split(dataset)
    amp = choose_amp(device, config.amp)
    cached_bytes = count_cached_bytes(dataset, "train", model.image_size)
    cache = choose_cache(device, config.cache, cached_bytes)
    return Run(
        config=config,
        model=model,
        dataset_hash=dataset.hash,
        crop=dataset.crop,
        num_train_images=dataset.num_samples("train"),
        held_out_split=held_out_split,
        device="cuda" if device.type == "cuda" else "cpu",
        dtype=_name_dtype(amp.dtype),
        dtype_reason=amp.reason,
        cache=cache.place,
        cache_reason=cache.reason,
        versions=_read_versions(),
    )


def write_run(run: Run) -> None:
    """Write run.json into the run's folder, which is made where there is none."""
    run.path.mkdir(parents=True, exist_ok=True)
    write_json(run.path / RUN_NAME, {"format": _FORMAT, "version": _VERSION, **_to_json(run)})


def read_run(path: Path) -> Run:
    """Read the run in folder `path`, wherever it has been moved to.

    Raises:
        FaceaeError: there is no run, or its run.json is damaged or of another version.
    """
    file = path / RUN_NAME
    if not file.is_file():
        raise FaceaeError(f"{path}: not a training run (no {RUN_NAME}); `faceae train` makes one")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if (record.pop("format"), record.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError(f"not {_FORMAT} version {_VERSION}")
        asked = record.pop("config")
        del asked["run"]
        data = parse_location(asked.pop("data"))
        init = parse_start(asked.pop("init"))
        config = TrainConfig(**asked, data=data, run=path, init=init)
        return Run(config=config, model=ModelConfig(**record.pop("model")), **record)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{file}: damaged, or written by another faceae ({error}); restore it from a copy"
        ) from error


def reopen_run(path: Path, asked: Mapping[str, Any], *, restart_epoch: bool) -> Run:
    """Return the run in folder `path` as it is to go on; writes nothing.

    Args:
        asked: fields of TrainConfig that were given, with their values.
        restart_epoch: whether it goes on from the end of an epoch, with another batch if asked for.

    Raises:
        FaceaeError: there is no run, or options differ from those it was started with.
    """
    run = read_run(path)
    changed = {name: asked[name] for name in _RESTART_OPTIONS & asked.keys() if restart_epoch}
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, **changed))
    _check_options(run, asked)
    return run


def check_dataset(run: Run, dataset: Dataset) -> None:
    """Raise FaceaeError unless `dataset` holds what the run was started with."""
    if dataset.hash != run.dataset_hash:
        raise FaceaeError(
            f"{dataset.location}: not the data {run.path} was started with ({run.config.data}), "
            "or packed otherwise; give that, or start another --run"
        )


def find_device(run: Run) -> torch.device:
    """Return a device of the type the run was started on: on another its numbers would differ.

    Raises:
        FaceaeError: there is none here.
    """
    if run.device == "cuda" and not torch.cuda.is_available():
        raise FaceaeError(
            f"{run.path} was started on cuda, and {why_no_cuda()[0]}; resume it where there is a "
            "GPU, or start another --run"
        )
    return resolve_device(run.device)


def _check_options(run: Run, asked: Mapping[str, object]) -> None:
    chosen = dataclasses.asdict(run.config) | {
        "image_size": run.model.image_size,
        "lr": run.config.peak_lr,
    }
    if asked.get("device") != "auto":
        chosen["device"] = run.device
    different = [name for name, value in asked.items() if value != chosen[name]]
    if different:
        pairs = ", ".join(
            f"{_option(name)} is {asked[name]} where the run has {chosen[name]}"
            for name in different
        )
        restart = "add --restart-epoch, " if _RESTART_OPTIONS.issuperset(different) else ""
        raise FaceaeError(
            f"{run.path}: {pairs}; a resumed run keeps its options: leave them out, {restart}"
            "or start another --run"
        )


def _check_folder(path: Path) -> None:
    if (path / RUN_NAME).exists():
        raise FaceaeError(
            f"--run {path}: there is a run already; add --resume to go on with it, "
            "or give another folder"
        )
    if path.exists() and not path.is_dir():
        raise FaceaeError(f"--run {path}: is a file; give a new folder")
    if path.is_dir() and holds_files(path):
        raise FaceaeError(f"--run {path}: is not empty; give a new folder")


def _choose_image_size(requested: int | None, dataset: Dataset) -> int:
    packed = None if dataset.image_size is None else min(dataset.image_size)
    if requested is None:
        requested = packed if packed in IMAGE_SIZES else _DEFAULT_IMAGE_SIZE
    if packed is not None and packed < requested:
        raise FaceaeError(
            f"{dataset.location}: its pictures have {packed} pixels a side, fewer than the "
            f"{requested} to train on; pack them with --size {requested}, or give --image-size"
        )
    return requested


def _choose_held_out_split(dataset: Dataset) -> str:
    for split in _HELD_OUT_SPLITS:
        if split in dataset.splits:
            return split
    raise FaceaeError(
        f"{dataset.location}: no held-out split (valid or test) to measure quality on; "
        "pack it again with --split 0.9,0.05,0.05"
    )


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


def _to_json(run: Run) -> dict[str, Any]:
    record = dataclasses.asdict(run)
    record["config"] |= {name: str(record["config"][name]) for name in ("data", "run", "init")}
    return record


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
