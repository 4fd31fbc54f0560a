"""Colours of skin, hair, eyes and things."""

import colorsys

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ..canvas import Pixels
from ._traits import Colour, HairTone, Identity

_SKIN = np.array(
    [
        (250, 224, 207),
        (241, 205, 179),
        (222, 176, 142),
        (190, 138, 102),
        (143, 97, 68),
        (96, 63, 46),
    ],
    np.float64,
)
"""Skin colours from the palest to the darkest, in even steps."""
_ROSY, _GOLDEN = np.array([3.0, -4.0, 4.0]), np.array([2.0, 2.0, -7.0])

PLAIN_LIGHT = 160
"""Level of light at which skin and cloth have their own colour."""
_LIGHT = np.arange(256, dtype=np.float32)[:, None] / PLAIN_LIGHT
_SKIN_SHADE = np.minimum(_LIGHT, 1) ** np.array([0.82, 1.08, 1.2], np.float32)
"""Scattering inside skin. Red light goes deepest, so shadows are redder and not only darker."""
_SKIN_GLOW = np.clip((_LIGHT - 1) / 0.6, 0, 1) * 0.75

PLAIN_HAIR_LIGHT = 128
"""Level of light at which hair has its own colour."""
_HAIR_LIGHT = np.arange(256, dtype=np.float32)[:, None] / PLAIN_HAIR_LIGHT
_HAIR_SHADE = 0.16 + 0.84 * np.minimum(_HAIR_LIGHT, 1) ** 1.2
_HAIR_SHINE = np.clip(_HAIR_LIGHT - 1, 0, 1) ** 1.2

_HAIR: dict[HairTone, tuple[Colour, Colour]] = {
    "black": ((24, 20, 22), (44, 36, 34)),
    "brown": ((70, 44, 28), (124, 82, 50)),
    "blond": ((178, 136, 78), (232, 202, 142)),
    "auburn": ((104, 44, 24), (168, 82, 40)),
    "grey": ((128, 126, 126), (214, 212, 208)),
}
"""Darkest and lightest shade of each tone."""

EYE_COLOURS: tuple[Colour, ...] = (
    (70, 42, 24),
    (92, 58, 32),
    (118, 84, 44),
    (104, 116, 72),
    (88, 130, 160),
    (112, 140, 168),
    (120, 128, 132),
)
LIPSTICKS: tuple[Colour, ...] = (
    (188, 32, 44),
    (204, 62, 84),
    (150, 34, 56),
    (206, 92, 96),
    (128, 44, 72),
)
EYESHADOWS: tuple[Colour, ...] = ((92, 70, 62), (110, 78, 104), (70, 84, 110), (136, 98, 66))


def skin_colour(identity: Identity) -> Pixels:
    """Return the skin's colour in plain light, 3 values in [0, 255]."""
    place = identity.skin * (len(_SKIN) - 1)
    step = min(int(place), len(_SKIN) - 2)
    base = _SKIN[step] + (_SKIN[step + 1] - _SKIN[step]) * (place - step)
    tint = _GOLDEN if identity.undertone > 0 else _ROSY
    return np.asarray(base + tint * abs(identity.undertone), np.float32)


def skin_ramp(colour: Pixels) -> Pixels:
    """Return the skin's colour at 256 levels of light, 256 x 3."""
    dark = colour * _SKIN_SHADE
    return np.asarray(dark + (np.float32(252) - dark) * _SKIN_GLOW, np.float32)


def hair_colour(identity: Identity) -> Pixels:
    """Return the hair's colour in plain light, 3 values in [0, 255]."""
    dark, light = (np.asarray(shade, np.float32) for shade in _HAIR[identity.hair.tone])
    return np.asarray(dark + (light - dark) * (identity.hair.shade + 1) / 2, np.float32)


def hair_ramp(colour: Pixels) -> Pixels:
    """Return the hair's colour at 256 levels of light, 256 x 3."""
    dark = colour * _HAIR_SHADE
    sheen = np.minimum(colour * 1.35 + 34, 250)
    return np.asarray(dark + (sheen - dark) * _HAIR_SHINE, np.float32)


def shade_ramp(colour: ArrayLike) -> Pixels:
    """Return a dull thing's colour at 256 levels of light, 256 x 3."""
    return np.minimum(_LIGHT * np.asarray(colour, np.float32), 255)


def through_ramp(level: Pixels, ramp: Pixels) -> Pixels:
    """Return the colour of each level: H x W levels in [0, 255] by a 256 x 3 ramp."""
    whole = cv2.convertScaleAbs(np.maximum(level, 0))  # rounds, and clips at 255
    colours = cv2.LUT(cv2.merge((whole, whole, whole)), np.rint(ramp).astype(np.uint8)[None])
    return colours.astype(np.float32)


def random_colour(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.1, 0.6),
    value: tuple[float, float] = (0.2, 0.9),
) -> Colour:
    """Return a colour of any hue."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return rgb[0] * 255, rgb[1] * 255, rgb[2] * 255
