"""Faces in photographs: found, and framed as CelebA frames its aligned ones.

Detection needs `pip install 'faceae[align]'`. Alignment by known landmarks needs OpenCV alone.
"""

from ._align import (
    ALIGNED_HEIGHT,
    ALIGNED_WIDTH,
    TARGETS,
    align_face,
    is_aligned_size,
    locate_centre,
)
from ._detect import detect_faces
from ._face import LANDMARK_NAMES, MAX_FACES, Box, Face, Which
from ._paste import locate_aligned, paste, paste_change
from ._photograph import align_faces, find_faces, measure_face, measure_roll
from ._place import Place, frame_at, locate_at, measure_place
from ._similarity import Similarity
from ._weights import WEIGHTS_SHA256
from ._yunet import check_detector, limit_to_one_core

__all__ = [
    "ALIGNED_HEIGHT",
    "ALIGNED_WIDTH",
    "LANDMARK_NAMES",
    "MAX_FACES",
    "TARGETS",
    "WEIGHTS_SHA256",
    "Box",
    "Face",
    "Place",
    "Similarity",
    "Which",
    "align_face",
    "align_faces",
    "check_detector",
    "detect_faces",
    "find_faces",
    "frame_at",
    "is_aligned_size",
    "limit_to_one_core",
    "locate_aligned",
    "locate_at",
    "locate_centre",
    "measure_face",
    "measure_place",
    "measure_roll",
    "paste",
    "paste_change",
]
