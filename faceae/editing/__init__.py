"""Changes of faces: directions in latent space that change attributes, and editing by them."""

from ._directions import Direction, Directions, Refusal
from ._distance import find_far
from ._find import DirectionsConfig, Found, find_directions
from ._folders import FolderPair, FoundPair, find_direction
from ._paste import Pasted, paste_edit
from ._residual import add_residual
from ._store import load_known, save_found, save_own

__all__ = [
    "Direction",
    "Directions",
    "DirectionsConfig",
    "FolderPair",
    "Found",
    "FoundPair",
    "Pasted",
    "Refusal",
    "add_residual",
    "find_direction",
    "find_directions",
    "find_far",
    "load_known",
    "paste_edit",
    "save_found",
    "save_own",
]
