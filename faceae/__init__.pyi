"""The Python API; `__init__.py` loads each name when it is first used."""

from .api import FaceModel, fit, load, open_dataset, open_loader, pack, train

__all__ = [
    "FaceModel",
    "fit",
    "load",
    "open_dataset",
    "open_loader",
    "pack",
    "train",
]

__version__: str
