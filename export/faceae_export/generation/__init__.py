"""New faces in order: computed, encoded, written as a dataset."""

from ._dataset import FaceGenerator, describe_faces
from ._generate import encode_faces, generate_faces

__all__ = [
    "FaceGenerator",
    "describe_faces",
    "encode_faces",
    "generate_faces",
]
