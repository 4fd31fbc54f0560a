"""Conversion of a picture's own colour space to sRGB."""

import io
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageCms

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
"""Colours inside sRGB stay as they are, and those outside take the nearest one that it has. The
perceptual intent would shift all colours of a CMYK picture; for the matrix profiles of cameras and
displays both are the same."""
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
"""The darkest ink becomes black, so that shadows of printed pictures keep their detail."""
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}
"""Pillow's mode for the colour space of a profile."""
_CLASSES = frozenset({"mntr", "scnr", "prtr", "spac"})
"""Profile classes that describe the colours of a picture."""
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_MAX_SRGB_ERROR = 2
"""Levels of 255 by which profiles of sRGB differ through their rounding."""
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
"""What Pillow raises on damaged profiles; text that is not ASCII is a ValueError."""
_GRID = np.linspace(0, 255, 9).round().astype(np.uint8)


class BadProfileError(Exception):
    """A profile that cannot be used."""


def is_srgb(profile: bytes) -> bool:
    """Tell whether a profile leaves RGB pixels as they are, within two levels of 255.

    A profile that was seen before costs a dictionary lookup.
    """
    try:
        return _find_transform(profile, "RGB") is None
    except BadProfileError:
        return False


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the image in sRGB, mode RGB, converted relative colorimetric with black point
    compensation.

    Args:
        image: mode L, RGB, CMYK or LAB.
        profile: its ICC profile. An RGB profile applies to a grey image, too.

    Raises:
        BadProfileError: the profile is damaged, or for another colour space.
    """
    space = _read_space(profile)
    if space == "RGB" and image.mode == "L":
        image = image.convert("RGB")
    if image.mode != space:
        raise BadProfileError
    transform = _find_transform(profile, space)
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return _apply(transform, image)


def convert_lab(image: Image.Image) -> Image.Image:
    """Return a picture of CIELAB values, mode LAB, in sRGB, mode RGB."""
    return _apply(_build(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"), image)


@lru_cache(maxsize=16)
def _find_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform of a profile; None where it changes nothing.

    Raises:
        BadProfileError: there is none.
    """
    if _read_space(profile) != mode:
        raise BadProfileError
    try:
        transform = _build(ImageCms.ImageCmsProfile(io.BytesIO(profile)), mode)
        return None if _changes_nothing(transform, mode) else transform
    except _ERRORS as error:
        raise BadProfileError from error


@lru_cache(maxsize=16)
def _read_space(profile: bytes) -> str:
    """Return the mode of the pictures that a profile describes.

    Raises:
        BadProfileError: it describes no pictures, or is damaged.
    """
    try:
        header = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        device_class, space = header.device_class, header.xcolor_space
    except _ERRORS as error:
        raise BadProfileError from error
    if device_class not in _CLASSES or space not in _SPACES:
        raise BadProfileError
    return _SPACES[space]


def _build(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(profile, _SRGB, mode, "RGB", _INTENT, _FLAGS)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    if mode == "RGB":
        pixels = np.stack(np.meshgrid(_GRID, _GRID, _GRID), axis=-1).reshape(1, -1, 3)
    elif mode == "L":
        pixels = np.arange(256, dtype=np.uint8)[None]
    else:
        return False
    image = Image.fromarray(pixels)
    before, after = np.array(image.convert("RGB")), np.array(_apply(transform, image))
    return int(np.abs(before.astype(np.int16) - after).max()) <= _MAX_SRGB_ERROR


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it is where it works in place
    return converted
