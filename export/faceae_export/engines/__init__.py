"""Engines that run a model or an exported file, and the choice of the fastest."""

from ._auto import EngineChoice, open_fastest
from ._engines import EngineName
from ._generator import OpenedGenerator, open_generator
from ._open import open_model, open_session

__all__ = [
    "EngineChoice",
    "EngineName",
    "OpenedGenerator",
    "open_fastest",
    "open_generator",
    "open_model",
    "open_session",
]
