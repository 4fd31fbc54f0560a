"""SageMaker: the functions of its inference toolkits, its training contract, model.tar.gz, the
commands of a container, and jobs and endpoints by boto3."""

from ._archive import write_model_archive
from ._container import run_command
from ._endpoints import EndpointConfig, delete, deploy, invoke, wait_for_endpoint
from ._handler import input_fn, model_fn, output_fn, predict_fn
from ._jobs import (
    JobConfig,
    JobKind,
    start_evaluation,
    start_packing,
    start_training,
    wait_for_job,
)
from ._train import train
from ._upload import upload

__all__ = [
    "EndpointConfig",
    "JobConfig",
    "JobKind",
    "delete",
    "deploy",
    "input_fn",
    "invoke",
    "model_fn",
    "output_fn",
    "predict_fn",
    "run_command",
    "start_evaluation",
    "start_packing",
    "start_training",
    "train",
    "upload",
    "wait_for_endpoint",
    "wait_for_job",
    "write_model_archive",
]
