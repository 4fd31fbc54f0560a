"""Jobs on SageMaker: packing and evaluation as processing jobs, and training."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from faceae.errors import FaceaeError

from ._aws import check_name, check_output, check_role, explained, find_input, open_client
from ._container import list_eval_options, list_pack_options
from ._options import parse_texts
from ._train import list_hyperparameters

JobKind = Literal["processing", "training"]
OnStatus = Callable[[str], None]
"""Receives each new status of a job or an endpoint."""

_COMMAND = ("python", "-m", "faceae.sagemaker")
_PLACES = "/opt/ml/processing"


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """Where and as whom a job runs.

    Raises:
        FaceaeError: a value is out of its range.
    """

    image: str
    """Image of `export/container` in the registry of the account."""
    role: str
    """ARN of the role that the job takes on. It must be able to read and write the S3 prefixes."""
    instance_type: str = "ml.m5.xlarge"
    name: str = ""
    """Name of the job. Empty: faceae and the time."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of what runs, as text: those of `faceae_shards.PackConfig`, `faceae.runs.TrainConfig`
    or `faceae.evaluation.EvalConfig`."""
    volume_gb: int = 50
    """Size of the disk."""
    max_hours: float = 24.0
    """Time after which AWS stops the job."""

    def __post_init__(self) -> None:
        check_role(self.role)
        if not self.name:
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            object.__setattr__(self, "name", f"faceae-{stamp}")
        check_name(self.name)
        if self.volume_gb < 1:
            raise FaceaeError(f"`volume_gb` must be at least 1, got {self.volume_gb}")
        if not 0 < self.max_hours < math.inf:
            raise FaceaeError(f"`max_hours` must be above 0 and finite, got {self.max_hours:g}")

    @property
    def max_seconds(self) -> int:
        """`max_hours` in seconds."""
        return max(1, round(self.max_hours * 3600))

    @property
    def resources(self) -> dict[str, Any]:
        """One machine, as the API describes it."""
        return {
            "InstanceCount": 1,
            "InstanceType": self.instance_type,
            "VolumeSizeInGB": self.volume_gb,
        }


def start_packing(source: str, out: str, config: JobConfig) -> None:
    """Start a processing job that packs photographs at `source` into the dataset `out`.

    Raises:
        FaceaeError: an option or URL does not fit, or AWS refuses.
    """
    parse_texts(config.options, list_pack_options())
    inputs = {"input": find_input(source)}
    _start_processing("process", inputs, {"dataset": check_output(out)}, config)


def start_evaluation(model: str, data: str, out: str, config: JobConfig) -> None:
    """Start a processing job that measures a model.tar.gz on a dataset and writes below `out`.

    Raises:
        FaceaeError: an option or URL does not fit, or AWS refuses.
    """
    parse_texts(config.options, list_eval_options())
    inputs = {"model": find_input(model), "dataset": find_input(data, needs="dataset.json")}
    _start_processing("evaluate", inputs, {"evaluation": check_output(out)}, config)


def start_training(data: str, out: str, config: JobConfig, *, spot: bool = False) -> None:
    """Start a training job on a dataset. The model lies at OUT/NAME/output/model.tar.gz.

    The checkpoints lie below OUT/checkpoints, and the next job with the same `out` continues there.

    Args:
        spot: run on spare machines, which cost less. AWS stops and restarts the job at will, for
            twice `max_hours` in all.

    Raises:
        FaceaeError: an option or URL does not fit, or AWS refuses.
    """
    parse_texts(config.options, list_hyperparameters())
    channel = find_input(data, needs="dataset.json")
    out = check_output(out)
    stop = {"MaxRuntimeInSeconds": config.max_seconds}
    if spot:
        stop["MaxWaitTimeInSeconds"] = 2 * config.max_seconds
    request = {
        "TrainingJobName": config.name,
        "RoleArn": config.role,
        "AlgorithmSpecification": {"TrainingImage": config.image, "TrainingInputMode": "File"},
        "HyperParameters": dict(config.options),
        "InputDataConfig": [{"ChannelName": "training", "DataSource": _describe_source(channel)}],
        "OutputDataConfig": {"S3OutputPath": out},
        "CheckpointConfig": {"S3Uri": f"{out}/checkpoints"},
        "ResourceConfig": config.resources,
        "StoppingCondition": stop,
        "EnableManagedSpotTraining": spot,
    }
    client = open_client("sagemaker")
    with explained(f"training job {config.name}"):
        client.create_training_job(**request)


def _describe_source(url: str) -> dict[str, Any]:
    return {
        "S3DataSource": {
            "S3DataType": "S3Prefix",
            "S3Uri": url,
            "S3DataDistributionType": "FullyReplicated",
        }
    }


def _start_processing(
    command: str, inputs: Mapping[str, str], outputs: Mapping[str, str], config: JobConfig
) -> None:
    program: dict[str, Any] = {
        "ImageUri": config.image,
        "ContainerEntrypoint": [*_COMMAND, command],
    }
    if config.options:
        arguments = [(f"--{name}", text) for name, text in config.options.items()]
        program["ContainerArguments"] = [each for pair in arguments for each in pair]
    request = {
        "ProcessingJobName": config.name,
        "RoleArn": config.role,
        "AppSpecification": program,
        "ProcessingInputs": [_describe_input(*each) for each in inputs.items()],
        "ProcessingOutputConfig": {
            "Outputs": [_describe_output(*each) for each in outputs.items()]
        },
        "ProcessingResources": {"ClusterConfig": config.resources},
        "StoppingCondition": {"MaxRuntimeInSeconds": config.max_seconds},
    }
    client = open_client("sagemaker")
    with explained(f"processing job {config.name}"):
        client.create_processing_job(**request)


def _describe_input(name: str, url: str) -> dict[str, Any]:
    place = {"S3Uri": url, "LocalPath": f"{_PLACES}/{name}"}
    modes = {"S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**place, **modes}}


def _describe_output(name: str, url: str) -> dict[str, Any]:
    place = {"S3Uri": url, "LocalPath": f"{_PLACES}/{name}"}
    return {"OutputName": name, "S3Output": {**place, "S3UploadMode": "EndOfJob"}}


def wait_for_job(
    kind: JobKind, name: str, on_status: OnStatus = lambda status: None, poll_s: float = 15.0
) -> str:
    """Wait until a job has ended.

    Returns:
        URL of a training job's model.tar.gz; of a processing job nothing.

    Raises:
        FaceaeError: the job failed or was stopped; says why.
    """
    client = open_client("sagemaker")
    describe = getattr(client, f"describe_{kind}_job")
    key = f"{kind.capitalize()}Job"

    def look() -> tuple[str, Any]:
        with explained(f"{kind} job {name}"):
            answer = describe(**{f"{key}Name": name})
        return answer[f"{key}Status"], answer

    status, answer = wait_while(look, ("InProgress", "Stopping"), on_status, poll_s)
    if status != "Completed":
        reason = answer.get("ExitMessage") or answer.get("FailureReason") or "AWS gives no reason"
        raise FaceaeError(f"{kind} job {name}: {status.lower()}: {reason}")
    return str(answer.get("ModelArtifacts", {}).get("S3ModelArtifacts", ""))


def wait_while(
    look: Callable[[], tuple[str, Any]],
    passing: tuple[str, ...],
    on_status: OnStatus,
    poll_s: float,
) -> tuple[str, Any]:
    """Return the first status that is not a passing one, with the answer that holds it."""
    before = ""
    while True:
        status, answer = look()
        if status != before:
            on_status(status)
            before = status
        if status not in passing:
            return status, answer
        time.sleep(poll_s)
