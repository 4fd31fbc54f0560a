"""run.json: the options of a run and the choices made for it; the paths in a run's folder."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from faceae.device import CachePlace
from faceae.errors import FaceaeError
from faceae.framing import Framing, choose_framing
from faceae.model import ModelConfig
from faceae_shards import parse_location, write_json
from faceae_shards.faces import Place

from ._config import TrainConfig, parse_start

_RUN_NAME = "run.json"
_FORMAT = "faceae-run"
_VERSION = 2
_RENAMED_KEYS = {"number_type": "dtype", "number_type_reason": "dtype_reason"}
"""Keys of version 1 and their names in version 2."""

DtypeName = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run: its options, and what was chosen once for all of it."""

    config: TrainConfig
    model: ModelConfig
    dataset_hash: str
    crop: int | None
    """Side in pixels of the centre square that the dataset's images were cut to when packed. Cut
    other images to the same square before the model sees them. None: they were not cut."""
    aligned: bool | None = None
    """Whether the training faces were framed as CelebA's aligned ones. None: unknown."""
    place: Place | None = None
    """Where faces lie in training images that were not aligned. None: it was not measured."""
    num_train_images: int
    held_out_split: str
    """Split that quality is measured on."""
    device: Literal["cpu", "cuda"]
    """Type of the device."""
    dtype: DtypeName
    """Type that training computes in."""
    dtype_reason: str
    cache: CachePlace
    """Where the training faces are held."""
    cache_reason: str
    first_epoch: int = 0
    """Number of epochs that were done when the schedule of the learning rate last began: 0, or
    where the run was extended."""
    versions: Mapping[str, str | None]
    """Versions of faceae and the packages that results depend on; None: not installed."""

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.config.run

    def frame(self, crop: int | None = None, align: bool | None = None) -> Framing:
        """Return how to frame photographs for this model.

        Args:
            crop: in place of the run's own; 0: none.
            align: True: as CelebA's, False: not at all, None: as the training images.
        """
        return choose_framing(
            crop=self.crop,
            aligned=self.aligned,
            place=self.place,
            asked_crop=crop,
            asked_align=align,
        )

    @property
    def file(self) -> Path:
        """run.json."""
        return run_file(self.path)

    @property
    def options_path(self) -> Path:
        """run.toml: the options that the run was started with, as `faceae train --config` reads."""
        return self.path / "run.toml"

    @property
    def model_path(self) -> Path:
        """The best weights so far; written at the end of the first epoch."""
        return self.path / "model.safetensors"

    @property
    def latents_path(self) -> Path:
        """The prior of the latents, which `faceae fit` writes."""
        return self.path / "latents.safetensors"

    @property
    def directions_path(self) -> Path:
        """Changes of latents that change attributes, which `faceae directions` writes."""
        return self.path / "directions.safetensors"

    @property
    def checkpoints_path(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics_path(self) -> Path:
        """Metrics of log steps and epochs, one JSON object per line."""
        return self.path / "metrics.jsonl"

    @property
    def grids_path(self) -> Path:
        """Folder of the grids of held-out faces."""
        return self.path / "grids"

    def grid_path(self, epoch: int) -> Path:
        """Return the grid of held-out faces after epoch `epoch`, counted from 1."""
        return self.grids_path / f"epoch-{epoch:04}.png"

    def eval_path(self, split: str) -> Path:
        """Return the file that `faceae eval` writes for a split; its picture ends in .png."""
        return self.path / f"eval-{split}.json"

    def samples_path(self, split: str) -> Path:
        """Return the file that `faceae eval` writes about new faces; its grid ends in .png."""
        return self.path / f"samples-{split}.json"

    def edits_path(self, split: str) -> Path:
        """Return the file that `faceae eval` writes about edits; its picture ends in .png."""
        return self.path / f"edits-{split}.json"

    def list_samples(self) -> list[Path]:
        """Return the files about new faces that `faceae eval` has written, by name."""
        return sorted(self.path.glob("samples-*.json"))

    def list_edits(self) -> list[Path]:
        """Return the files about edits that `faceae eval` has written, by name."""
        return sorted(self.path.glob("edits-*.json"))

    def list_evals(self) -> list[Path]:
        """Return the files that `faceae eval` has written, by name."""
        return sorted(self.path.glob("eval-*.json"))

    @property
    def amp_dtype(self) -> torch.dtype | None:
        """Type autocast computes in; None: float32 throughout."""
        return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]


def run_file(path: Path) -> Path:
    """Return the run.json of a run in folder `path`."""
    return path / _RUN_NAME


def write_run(run: Run) -> None:
    """Write run.json into the run's folder, which is made if it is missing."""
    run.path.mkdir(parents=True, exist_ok=True)
    write_json(run.file, {"format": _FORMAT, "version": _VERSION, **_to_json(run)})


def read_run(path: Path) -> Run:
    """Read the run in folder `path`. A run's folder may be moved.

    Raises:
        FaceaeError: there is no run, or its run.json is damaged or of a later version.
    """
    file = run_file(path)
    if not file.is_file():
        raise FaceaeError(f"{path}: not a training run (no {_RUN_NAME}); `faceae train` makes one")
    try:
        record = _upgrade(json.loads(file.read_text(encoding="utf-8")))
        options = record.pop("config")
        del options["run"]
        data = parse_location(options.pop("data"))
        init = parse_start(options.pop("init"))
        if record.get("place") is not None:
            record["place"] = Place.from_json(record["place"])
        options["tracker"] = tuple(options.get("tracker", ()))
        config = TrainConfig(**options, data=data, run=path, init=init)
        return Run(config=config, model=ModelConfig(**record.pop("model")), **record)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{file}: damaged, or written by another faceae ({error}); restore it from a copy"
        ) from error


def _upgrade(record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a run.json of any version under their current names."""
    format_, version = record.pop("format"), record.pop("version")
    if format_ != _FORMAT or version not in (1, _VERSION):
        raise ValueError(f"not {_FORMAT} version {_VERSION}")
    renamed = _RENAMED_KEYS if version == 1 else {}
    return {renamed.get(name, name): value for name, value in record.items()}


def _to_json(run: Run) -> dict[str, Any]:
    record = dataclasses.asdict(run)
    record["config"] |= {name: str(record["config"][name]) for name in ("data", "run", "init")}
    return record
