"""Which faces are alike: exact nearest neighbours, and a map of the latent space."""

from ._faces import take_faces
from ._likeness import LikenessSpace
from ._map import FaceMap, MapConfig, draw_map
from ._nearest import Nearest, distance_blocks, find_nearest
from ._neighbours import Neighbours, NeighboursConfig, find_neighbours

__all__ = [
    "FaceMap",
    "LikenessSpace",
    "MapConfig",
    "Nearest",
    "Neighbours",
    "NeighboursConfig",
    "distance_blocks",
    "draw_map",
    "find_nearest",
    "find_neighbours",
    "take_faces",
]
