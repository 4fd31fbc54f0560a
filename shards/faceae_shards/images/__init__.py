"""One image: decoded whole or refused, cut and scaled, encoded for a shard."""

from ._content import is_html
from ._decode import DecodedImage, decode, decode_image
from ._encode import (
    EncodedImage,
    check_stored,
    decode_stored,
    encode_for_shard,
    encode_jpeg,
    encode_pixels,
    fit_image,
)
from ._refused import MAX_PIXELS, ImageRefused
from ._scale import find_resizer, scale_image

__all__ = [
    "MAX_PIXELS",
    "DecodedImage",
    "EncodedImage",
    "ImageRefused",
    "check_stored",
    "decode",
    "decode_image",
    "decode_stored",
    "encode_for_shard",
    "encode_jpeg",
    "encode_pixels",
    "find_resizer",
    "fit_image",
    "is_html",
    "scale_image",
]
