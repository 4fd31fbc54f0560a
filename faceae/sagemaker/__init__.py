"""SageMaker: the functions of its inference toolkits, its training contract, model.tar.gz, and the
commands of a container."""

from ._archive import write_model_archive
from ._container import run_command
from ._handler import input_fn, model_fn, output_fn, predict_fn
from ._train import train

__all__ = [
    "input_fn",
    "model_fn",
    "output_fn",
    "predict_fn",
    "run_command",
    "train",
    "write_model_archive",
]
