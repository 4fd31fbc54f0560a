"""HEIC pictures, decoded by pillow-heif, which is optional."""

import io

from PIL import Image

from ._refused import ImageRefused, check_sides

_ERRORS = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)
"""What pillow-heif raises on damaged files."""


def open_heic(data: bytes, max_pixels: int) -> Image.Image:
    """Decode the primary picture of a HEIC file, upright.

    Raises:
        ImageRefused: pillow-heif is missing, or the file is damaged, too small or too large.
    """
    try:
        import pillow_heif
    except ImportError as error:
        detail = "HEIC needs pillow-heif: pip install 'faceae[heic]'"
        raise ImageRefused("unsupported", detail) from error
    try:
        file = pillow_heif.open_heif(io.BytesIO(data))
        width, height = file.size
        check_sides(width, height, max_pixels)
        image: Image.Image = file.to_pillow()
    except _ERRORS as error:
        if isinstance(error, ImageRefused):
            raise
        detail = " ".join(str(error).split())
        raise ImageRefused("corrupt", f"a damaged HEIC file: {detail}") from error
    image.info = {key: image.info[key] for key in ("icc_profile",) if key in image.info}
    return image
