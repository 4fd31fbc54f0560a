"""The Python API; `__init__.py` loads each name when it is first used."""

from .api import (
    FaceModel,
    add_direction,
    find_directions,
    fit,
    load,
    open_dataset,
    open_loader,
    pack,
    train,
)

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

__version__: str
