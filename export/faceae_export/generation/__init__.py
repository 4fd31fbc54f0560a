"""New faces: draw them, encode them as pictures, write them as shards; faces of given latents."""

from ._decode import decode_latents, open_decoder
from ._generate import encode_faces, generate_faces
from ._shards import generate_shards

__all__ = [
    "decode_latents",
    "encode_faces",
    "generate_faces",
    "generate_shards",
    "open_decoder",
]
