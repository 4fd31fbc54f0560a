"""The geometry of a face: features in three dimensions, haircut, relief and light."""

from ._face import SIDES, Face
from ._haircut import Haircut, hair_flow
from ._light import Light, both_sides, enlarge, shift, shrink, soft_spots
from ._relief import dome, face_relief

__all__ = [
    "SIDES",
    "Face",
    "Haircut",
    "Light",
    "both_sides",
    "dome",
    "enlarge",
    "face_relief",
    "hair_flow",
    "shift",
    "shrink",
    "soft_spots",
]
