"""Paints a face, one feature per module."""

from ._draw import draw_face, paint
from ._eyes import eye_centres
from ._mouth import mouth_corners

__all__ = [
    "draw_face",
    "eye_centres",
    "mouth_corners",
    "paint",
]
