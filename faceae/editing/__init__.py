"""Changes of faces: directions in latent space that change attributes, and editing by them."""

from ._choose import has_signal
from ._classifier import balanced_accuracy, class_gaps
from ._conditional import identity_normals
from ._directions import Direction, Directions, Refusal
from ._distance import find_far
from ._examples import read_labels
from ._find import DirectionsConfig, Found, find_directions
from ._folders import FolderPair, FoundPair, find_direction
from ._parts import group_faces
from ._paste import Pasted, paste_edit
from ._residual import add_residual
from ._spread import Spread
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
    "Spread",
    "add_residual",
    "balanced_accuracy",
    "class_gaps",
    "find_direction",
    "find_directions",
    "find_far",
    "group_faces",
    "has_signal",
    "identity_normals",
    "load_known",
    "paste_edit",
    "read_labels",
    "save_found",
    "save_own",
]
