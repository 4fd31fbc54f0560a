"""The page's icon: a smiling face, drawn."""

import io

from PIL import Image, ImageDraw

_OVERSAMPLING = 4
_BLUE = "#2b6cb0"
_SKIN = "#fbd38d"
_DARK = "#1a202c"


def draw_icon(size: int) -> bytes:
    """Return a PNG file of `size` x `size` pixels. Systems may cut its corners off."""
    side = _OVERSAMPLING * size
    image = Image.new("RGB", (side, side), _BLUE)
    draw = ImageDraw.Draw(image)
    _disc(draw, side, 0.5, 0.5, 0.32, _SKIN)
    for x in (0.39, 0.61):
        _disc(draw, side, x, 0.43, 0.035, _DARK)
    mouth = [share * side for share in (0.35, 0.38, 0.65, 0.66)]
    draw.arc(mouth, 25, 155, _DARK, width=round(0.03 * side))
    file = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()


def _disc(
    draw: ImageDraw.ImageDraw, side: int, x: float, y: float, radius: float, colour: str
) -> None:
    places = (x - radius, y - radius, x + radius, y + radius)
    draw.ellipse([place * side for place in places], colour)
