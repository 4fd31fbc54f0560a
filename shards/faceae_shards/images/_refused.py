"""Refusal of one image, and the limits of its size."""

from .._errors import ShardsError
from .._format import MIN_SIDE

MAX_PIXELS = 512_000_000
"""Pixels above which a picture is refused by default, as a decompression bomb may be.

Decoding takes up to 10 bytes per pixel. Panoramas and scans have some 200 megapixels.
"""


class ImageRefused(ShardsError):
    """An image that must not reach training. `reason` is one of a few words, `detail` says more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def check_sides(width: int, height: int, max_pixels: int) -> None:
    """Check the size of a picture before memory is allocated for it.

    Raises:
        ImageRefused: too small or too large.
    """
    if min(width, height) < MIN_SIDE:
        raise ImageRefused("too small", f"{width}x{height} pixels, at least {MIN_SIDE} are needed")
    if width * height > max_pixels:
        raise ImageRefused(
            "too large", f"{width}x{height} pixels, `max_pixels` allows {max_pixels:,}"
        )
