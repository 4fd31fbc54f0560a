"""SageMaker: the functions of its inference toolkits, its training contract, and model.tar.gz."""

from ._archive import write_model_archive
from ._handler import input_fn, model_fn, output_fn, predict_fn
from ._train import train

__all__ = [
    "input_fn",
    "model_fn",
    "output_fn",
    "predict_fn",
    "train",
    "write_model_archive",
]
