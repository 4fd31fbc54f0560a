"""Traits of people and pictures: what varies, how it is sampled, and its colours."""

from ._palette import (
    PLAIN_HAIR_LIGHT,
    PLAIN_LIGHT,
    hair_colour,
    hair_ramp,
    random_colour,
    shade_ramp,
    skin_colour,
    skin_ramp,
    through_ramp,
)
from ._sample import LAYOUT_STREAM, generator, sample_identity
from ._sample_picture import sample_picture
from ._traits import Background, Colour, Glasses, HairCut, HairTone, Identity, Picture

__all__ = [
    "LAYOUT_STREAM",
    "PLAIN_HAIR_LIGHT",
    "PLAIN_LIGHT",
    "Background",
    "Colour",
    "Glasses",
    "HairCut",
    "HairTone",
    "Identity",
    "Picture",
    "generator",
    "hair_colour",
    "hair_ramp",
    "random_colour",
    "sample_identity",
    "sample_picture",
    "shade_ramp",
    "skin_colour",
    "skin_ramp",
    "through_ramp",
]
