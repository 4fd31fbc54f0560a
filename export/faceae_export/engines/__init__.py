"""The engines that run a model or an exported file, and which of them is fastest."""

from ._auto import EngineChoice, open_fastest
from ._engines import EngineName
from ._open import open_model, open_session

__all__ = [
    "EngineChoice",
    "EngineName",
    "open_fastest",
    "open_model",
    "open_session",
]
