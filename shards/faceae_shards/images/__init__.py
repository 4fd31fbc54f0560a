"""One image: decoded whole or refused, cut and scaled, encoded for a shard."""

from ._decode import ImageRefused, decode_image, is_html
from ._encode import EncodedImage, check_stored, encode_for_shard, encode_jpeg, fit_image

__all__ = [
    "EncodedImage",
    "ImageRefused",
    "check_stored",
    "decode_image",
    "encode_for_shard",
    "encode_jpeg",
    "fit_image",
    "is_html",
]
