"""What a study was begun with. It lies in the study, and whoever joins must agree with it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError
from faceae.evaluation.samples import SampleConfig, check_samples
from faceae.runs import TrainConfig
from faceae_shards import Dataset

from ._config import Objective, Pruning, TuneConfig, make_train_config, share_options
from ._space import Space, make_space, suggest_name

_VERSION = 1
_DEFAULT_SAMPLES = 2000
_OWN = frozenset({"data", "run", "keep_checkpoints"})
"""Fields of TrainConfig that the study sets itself."""


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """What all trials of a study have in common."""

    dataset_hash: str
    space: Space
    options: Mapping[str, Any]
    """Fields of TrainConfig that were given when the study was begun."""
    objective: Objective
    samples: int
    """New faces that the objective `samples` measures."""
    pruning: Pruning

    @property
    def maximizes(self) -> bool:
        """Whether a higher value is better."""
        return self.objective == "psnr"

    @property
    def seed(self) -> int:
        """Seed of what trials choose, and of each training that does not choose its own."""
        return int(self.options.get("seed", 0))

    def describe(self, value: float) -> str:
        """Return a value of the objective with its unit."""
        return f"{value:.2f} dB" if self.maximizes else f"distance {value:.2f}"

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"version": _VERSION, **fields, "space": self.space.to_json()}

    @classmethod
    def from_json(cls, record: Any, where: str) -> "StudyRecord":
        """Read what `to_json` returned.

        Raises:
            FaceaeError: naming the study, if it is of another version or damaged.
        """
        try:
            fields = dict(record)
            version = fields.pop("version")
            if version != _VERSION:
                raise FaceaeError(
                    f"{where}: a study of version {version}, and this faceae has version "
                    f"{_VERSION}; go on with the faceae that began it, or begin another `study`"
                )
            return cls(**{**fields, "space": make_space(fields.pop("space"))})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, FaceaeError):
                raise
            raise FaceaeError(f"{where}: the study's record is damaged ({error})") from error


def plan_study(config: TuneConfig, dataset: Dataset) -> StudyRecord:
    """Return the record of a new study. Writes nothing.

    Raises:
        FaceaeError: there is no search space, or an option does not suit the others.
    """
    if config.space is None:
        raise FaceaeError(
            "a new study needs a search space; give a TOML file as `space`, or options as "
            "`search`, such as `search=lr=1e-5:1e-3:log`"
        )
    record = StudyRecord(
        dataset_hash=dataset.hash,
        space=config.space,
        options=share_options(config.options),
        objective=config.objective or "psnr",
        samples=config.samples or _DEFAULT_SAMPLES,
        pruning=config.pruning or "hyperband",
    )
    _check_options(record, config)
    if record.objective == "samples":
        split = "valid" if "valid" in dataset.splits else "test"
        check_samples(dataset, SampleConfig(samples=record.samples, split=split))
    return record


def check_agreement(record: StudyRecord, config: TuneConfig, dataset: Dataset) -> None:
    """Compare what was given with the study that exists.

    Raises:
        FaceaeError: naming what differs.
    """
    remedy = "give the same, leave it out to take the study's, or begin another `study`"
    if dataset.hash != record.dataset_hash:
        raise FaceaeError(
            f"{dataset.location}: not the data that the study {config.study} was begun with; give "
            "that, or begin another `study`"
        )
    if config.space is not None and config.space.to_json() != record.space.to_json():
        raise FaceaeError(
            f"{config.study}: a study of another search space ({_compare(config.space, record)}); "
            + remedy
        )
    asked = {
        "objective": config.objective,
        "samples": config.samples,
        "pruning": config.pruning,
        **share_options(config.options),
    }
    known = {**record.options, **{k: getattr(record, k) for k in list(asked)[:3]}}
    for name, value in asked.items():
        if value is not None and value != known.get(name):
            has = known.get(name, "its default")
            raise FaceaeError(
                f"{config.study}: `{name}` is {value} where the study has {has}; {remedy}"
            )


def _check_options(record: StudyRecord, config: TuneConfig) -> None:
    """Raise FaceaeError unless a training accepts the extremes of each searched option."""
    both = record.space.parameters.keys() & record.options.keys() - {"seed"}
    if both:
        name = min(both)
        raise FaceaeError(f"`{name}` is both given and searched; leave one of them out")
    known = {field.name for field in dataclasses.fields(TrainConfig)} - _OWN
    for name in config.options:
        if name not in known:
            raise FaceaeError(f"trials have no option {name}{suggest_name(name, known)}")
    for ends in record.space.list_ends():
        make_train_config(config.data, Path("run"), config.options, ends)


def _compare(space: Space, record: StudyRecord) -> str:
    given, known = space.to_json(), record.space.to_json()
    for name in [*given, *known]:
        if given.get(name) != known.get(name):
            here, there = (side.get(name, "not searched") for side in (given, known))
            return f"{name}: {here} here, {there} there"
    return "the same options"
