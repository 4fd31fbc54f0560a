"""Options of a study."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from faceae.errors import FaceaeError
from faceae.runs import TrainConfig, begin_from_run, parse_start
from faceae_shards import Location

from ._space import Space

Objective = Literal["psnr", "samples"]
Pruning = Literal["hyperband", "halving", "none"]

_MACHINE_OPTIONS = frozenset({"device", "loader", "cache", "compile", "cuda_graph"})
"""Fields of TrainConfig that may differ between the processes of a study."""


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Options of a study, for each process that works on it. None: those of the study, if there is
    one already.

    Raises:
        FaceaeError: an option is out of its range.
    """

    data: Location
    """A dataset packed by `faceae shard`."""
    study: Path | str
    """The study's folder, or the URL of a database that holds the study."""
    trials: int = 20
    """Trials of the study, by all processes that ever work on it. Failed ones do not count."""
    space: Space | None = None
    """The options that differ between trials."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that all trials share. The seed also decides what trials choose."""
    objective: Objective | None = None
    """psnr, the default: the highest PSNR on held-out faces. samples: the lowest Fréchet distance
    of new faces."""
    samples: int | None = None
    """New faces that `objective='samples'` measures. None: 2,000."""
    pruning: Pruning | None = None
    """Whether trials end early that are worse than others after as many epochs. hyperband, the
    default, spares a share of them for longer; halving spares none."""
    runs: Path | None = None
    """Folder of the trials' runs. None: that of the study, which a database does not have."""
    name: str = "faceae"
    """The study's name in a database."""

    def __post_init__(self) -> None:
        for name, value in (("trials", self.trials), ("samples", self.samples)):
            if value is not None and value < 1:
                raise FaceaeError(f"`{name}` must be at least 1, got {value}")
        if is_database(self.study) and self.runs is None:
            raise FaceaeError(
                "`study` is a database, which cannot hold the runs of trials; give a folder for "
                "them as `runs`"
            )

    def absolute(self) -> "TuneConfig":
        """Return these options with paths that mean the same in any current folder."""
        options = dict(self.options)
        init = options.get("init")
        if init is not None:
            start = parse_start(str(init))
            options["init"] = start.resolve() if isinstance(start, Path) else start
        return replace(
            self,
            data=self.data.resolve() if isinstance(self.data, Path) else self.data,
            study=self.study if is_database(self.study) else Path(self.study).resolve(),
            runs=None if self.runs is None else self.runs.resolve(),
            options=options,
        )


def is_database(study: Path | str) -> bool:
    """Return whether a study is named by the URL of a database."""
    return isinstance(study, str) and "://" in study


def make_train_config(
    data: Location, run: Path, options: Mapping[str, Any], chosen: Mapping[str, Any]
) -> TrainConfig:
    """Return the options of one trial's training.

    Args:
        options: what all trials share.
        chosen: what the trial has chosen.

    Raises:
        FaceaeError: they do not go together.
    """
    merged = {**options, **chosen}
    if "init" in merged:
        merged["init"] = parse_start(str(merged["init"]))
    merged = begin_from_run(merged)
    return TrainConfig(data=data, run=run, **merged, keep_checkpoints=1)


def share_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that must be equal in all processes of a study, as JSON has them."""
    shared = {name: value for name, value in options.items() if name not in _MACHINE_OPTIONS}
    named = {name: str(v) if isinstance(v, Path) else v for name, v in shared.items()}
    read: dict[str, Any] = json.loads(json.dumps(named, sort_keys=True))
    return read
