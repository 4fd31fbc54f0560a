"""Traits of a drawn person and of a picture."""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]
"""RGB in [0, 255]."""

HairTone = Literal["black", "brown", "blond", "auburn", "grey"]
HairCut = Literal["bald", "buzz", "short", "quiff", "curly", "bob", "long", "updo"]
HairTexture = Literal["straight", "wavy", "curly"]
Beard = Literal["none", "shadow", "mustache", "goatee", "full"]
Glasses = Literal["none", "round", "square", "rimless", "sun"]
Hat = Literal["none", "cap", "beanie", "fedora"]
Clothes = Literal["crew", "vneck", "shirt", "suit", "turtleneck", "scoop"]
Background = Literal["gradient", "bokeh", "wall", "backdrop", "foliage", "window", "bricks"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Proportions of a face, each from -1 to 1 around an average of 0."""

    width: float
    length: float
    jaw: float
    """-1 (tapering) to 1 (square)."""
    weight: float
    """-1 (gaunt) to 1 (chubby)."""
    cheekbones: float
    forehead: float
    nose_width: float
    nose_length: float
    nose_point: float
    """0 (rounded) to 1 (pointed)."""
    mouth_width: float
    lips: float
    """-1 (thin) to 1 (full)."""
    ears: float


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """Eyes and eyebrows; from -1 to 1 around an average of 0 unless noted."""

    colour: Colour
    size: float
    narrow: float
    """0 (open) to 1 (narrow)."""
    slant: float
    distance: float
    brow_bushy: float
    """0 (thin) to 1 (bushy)."""
    brow_arch: float
    """0 (straight) to 1 (arched)."""
    brow_height: float


@dataclass(frozen=True, kw_only=True)
class Hair:
    """Hair of the head."""

    tone: HairTone
    shade: float
    """-1 (darkest of its tone) to 1 (lightest)."""
    cut: HairCut
    texture: HairTexture
    volume: float
    """-1 (flat) to 1 (full)."""
    parting: float
    """Where the hair divides, -1 (picture's left) to 1."""
    bangs: bool
    receding: float
    """0 (full hairline) to 1 (bare temples)."""
    seed: int
    """Random seed of the strands."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person: the traits that are the same in all of their pictures."""

    male: bool
    age: float
    """0 (twenty) to 1 (seventy-five)."""
    skin: float
    """0 (palest) to 1 (darkest)."""
    undertone: float
    """-1 (rosy) to 1 (golden)."""
    shape: Shape
    eyes: Eyes
    hair: Hair
    beard: Beard
    """Usual beard."""
    sideburns: bool
    glasses: Glasses
    """Kind of glasses, in pictures with glasses."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Turn and framing of the head; angles in degrees."""

    yaw: float
    """Positive turns the face to the picture's right."""
    pitch: float
    """Positive looks down."""
    roll: float
    """Tilt that is left after alignment on the eyes."""
    lean: float
    """Lean of the body against the head."""
    zoom: float
    """Size of the head relative to the usual one."""
    shift: tuple[float, float]
    """Offset of the eyes from their aligned place, pixels."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Expression of the face."""

    smile: float
    """-0.3 (corners of the mouth down) to 1 (broad smile)."""
    mouth_open: float
    """0 (closed) to 1 (wide open)."""
    eye_open: float
    """0.7 (squinting) to 1.15 (wide)."""
    gaze: tuple[float, float]
    """Direction of the gaze, -1 to 1 across and down."""
    brow_raise: float
    """-1 to 1."""


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """The main light; angles in degrees."""

    azimuth: float
    """Negative lights the face from the picture's left."""
    elevation: float
    """Elevation above the camera."""
    hardness: float
    """0 (even) to 1 (deep shadows)."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Effects of the camera."""

    exposure: float
    """Brightness factor."""
    cast: Colour
    """Factor for each channel."""
    contrast: float
    """Contrast factor around mid-grey."""
    blur: float
    """Standard deviation of the lens blur, pixels."""
    noise: float
    """Standard deviation of the sensor noise, levels of 255."""


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Things that the person wears."""

    clothes: Clothes
    colour: Colour
    glasses: Glasses
    hat: Hat
    hat_colour: Colour
    earrings: bool
    necklace: bool
    necktie: bool


@dataclass(frozen=True, kw_only=True)
class Makeup:
    """Make-up; strengths from 0 (none) to 1."""

    strength: float
    """Strength of lashes, eye shadow and drawn lids."""
    eyeshadow: Colour
    lipstick: float
    lipstick_colour: Colour
    blush: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a person: everything that changes between pictures."""

    pose: Pose
    expression: Expression
    light: Lighting
    camera: Camera
    outfit: Outfit
    makeup: Makeup
    beard: Beard
    eye_bags: float
    """0 (none) to 1."""
    wrinkles: float
    """0 (smooth) to 1 (deeply lined)."""
    background: Background
    seed: int
    """Random seed of the textures of background, clothes, stubble and sensor."""
