"""SageMaker's training contract: hyperparameters as arguments, channels and folders by variable."""

import dataclasses
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError
from faceae_shards import ShardsError, atomic_path

from ._archive import list_model_files

_CHECKPOINTS = "/opt/ml/checkpoints"


def train(argv: Sequence[str]) -> int:
    """Train, fit the latents and write the model, as a SageMaker training job.

    The dataset is the channel `training`: a folder that `faceae shard` wrote. Hyperparameters are
    the fields of `faceae.runs.TrainConfig`, as `--batch-size 256 --amp True`. The run lies in
    `--checkpoint-dir` (/opt/ml/checkpoints), which SageMaker keeps on S3; a job that is started
    again continues there. SM_MODEL_DIR receives the files of a deployed model.

    Returns:
        Exit code. 1: a request that cannot be met; one line on stderr says why. 143: SIGTERM
        stopped the job, which has written a checkpoint.
    """
    try:
        return _train(_parse(argv), os.environ)
    except (FaceaeError, ShardsError, OSError) as error:
        sys.stderr.write(f"faceae: error: {' '.join(str(error).split())}\n")
        return 1


def _train(options: dict[str, Any], environment: Mapping[str, str]) -> int:
    import faceae
    from faceae.runs import read_run, run_file

    checkpoints = Path(options.pop("checkpoint_dir", _CHECKPOINTS))
    data = _require(environment, "SM_CHANNEL_TRAINING", "give the job a channel `training`")
    out = Path(_require(environment, "SM_MODEL_DIR", "run this script in a training job"))
    run = checkpoints / "run"
    checkpoints.mkdir(parents=True, exist_ok=True)
    result = faceae.train(data, run, resume=run_file(run).is_file(), **options)
    if result.stopped_by is not None:
        return 128 + result.stopped_by
    if _is_first_process(environment):
        faceae.fit(run, data, device=options.get("device", "auto"))
        for name, content in list_model_files(read_run(run)):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part:
                part.write_bytes(content)
    return 0


def _is_first_process(environment: Mapping[str, str]) -> bool:
    return environment.get("RANK", "0") == "0"


def _require(environment: Mapping[str, str], name: str, remedy: str) -> str:
    if not environment.get(name):
        raise FaceaeError(f"the variable {name} is not set; {remedy}")
    return environment[name]


def _parse(argv: Sequence[str]) -> dict[str, Any]:
    """Return hyperparameters by name.

    Raises:
        FaceaeError: one does not exist, or has no value that fits.
    """
    from faceae.runs import TrainConfig

    kinds = typing.get_type_hints(TrainConfig)
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {"data", "run"}
    options: dict[str, Any] = {}
    if len(argv) % 2:
        raise FaceaeError(f"hyperparameters are pairs of a name and a value, got {list(argv)}")
    for flag, text in zip(argv[::2], argv[1::2], strict=True):
        name = flag.removeprefix("--").replace("-", "_")
        if name in ("checkpoint_dir", "init"):
            options[name] = text
        elif name in names and flag.startswith("--"):
            options[name] = _read_value(name, text, kinds[name])
        else:
            known = ", ".join(sorted({*names, "checkpoint_dir"}))
            raise FaceaeError(f"`{flag}` is no hyperparameter; they are: {known}")
    return options


def _read_value(name: str, text: str, kind: Any) -> Any:
    """Return a value from text: SageMaker passes numbers as JSON and booleans as `True`."""
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    kinds = typing.get_args(kind) if is_union else (kind,)
    if type(None) in kinds and text == "None":
        return None
    choices = [choice for each in kinds for choice in typing.get_args(each)]
    if text in choices:
        return text
    if bool in kinds:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise FaceaeError(f"`{name}` must be True or False, got {text!r}")
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                raise FaceaeError(f"`{name}` must be a number, got {text!r}") from None
    if choices:
        raise FaceaeError(f"`{name}` must be one of {', '.join(choices)}, got {text!r}")
    return text
