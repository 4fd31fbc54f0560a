"""SageMaker's training contract: hyperparameters as arguments, channels and folders by variable."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError
from faceae_shards import atomic_path

from ._archive import list_model_files
from ._options import list_options, parse_arguments
from ._places import base_folder, run_reported


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
    return run_reported("output/failure", lambda: _train(argv, os.environ))


def list_hyperparameters() -> dict[str, Any]:
    """Return the types of all hyperparameters of a training job by name."""
    from faceae.runs import TrainConfig

    return list_options(TrainConfig, ("data", "run"), {"init": str, "checkpoint_dir": str})


def _train(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    import faceae
    from faceae.runs import read_run, run_file

    options = parse_arguments(argv, list_hyperparameters())
    checkpoints = Path(options.pop("checkpoint_dir", base_folder() / "checkpoints"))
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
