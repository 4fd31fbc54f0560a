"""New faces: draw them, encode them as pictures, write them as shards, morph between them."""

from ._generate import encode_faces, generate_faces
from ._morph import morph, open_decoder
from ._shards import generate_shards

__all__ = [
    "encode_faces",
    "generate_faces",
    "generate_shards",
    "morph",
    "open_decoder",
]
