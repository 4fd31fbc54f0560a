"""The Python API: one function for each verb of the command line, with arrays in place of files."""

from ._data import open_dataset, open_loader, pack
from ._edit import add_direction, find_directions
from ._model import FaceModel, load
from ._train import fit, train

__all__ = [
    "FaceModel",
    "add_direction",
    "find_directions",
    "fit",
    "load",
    "open_dataset",
    "open_loader",
    "pack",
    "train",
]
