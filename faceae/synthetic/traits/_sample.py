"""Random people.

A person depends on (seed, number of the person) and a picture on (seed, number of the picture), so
a longer set begins with a shorter one's faces. Probabilities are near CelebA's if this leaves the
set varied.
"""

from typing import TypeVar

import numpy as np

from ._palette import EYE_COLOURS
from ._traits import Beard, Colour, Eyes, Hair, HairCut, HairTexture, HairTone, Identity, Shape

_T = TypeVar("_T")

IDENTITY_STREAM, PICTURE_STREAM, LAYOUT_STREAM = range(3)


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Return the random generator of one person, picture or part of the layout."""
    return np.random.default_rng([seed, stream, number])


def pick(rng: np.random.Generator, chances: dict[_T, float]) -> _T:
    """Return one key, with a probability proportional to its value."""
    mark = rng.random() * sum(chances.values())
    for key, chance in chances.items():
        mark -= chance
        if mark < 0:
            return key
    return key


def clipped(rng: np.random.Generator, mean: float, spread: float, low: float, high: float) -> float:
    """Return a normal random number, clipped to `low` and `high`."""
    return float(min(max(rng.normal(mean, spread), low), high))


def around(rng: np.random.Generator, mean: float = 0.0, spread: float = 0.45) -> float:
    """Return a trait from -1 to 1."""
    return clipped(rng, mean, spread, -1, 1)


def sample_identity(seed: int, number: int) -> Identity:
    """Return person `number` of `seed`."""
    rng = generator(seed, IDENTITY_STREAM, number)
    male = bool(rng.random() < 0.45)
    # Nobody is near the border of young and old, so that the drawing shows which it is.
    age = rng.uniform(0, 0.3) if rng.random() < 0.77 else rng.uniform(0.62, 1)
    skin = float(rng.beta(1.1, 1.7))
    return Identity(
        male=male,
        age=age,
        skin=skin,
        undertone=around(rng),
        shape=_shape(rng, male, skin),
        eyes=_eyes(rng, male, skin),
        hair=_hair(rng, male, age, skin),
        beard=_beard(rng, male),
        sideburns=bool(male and rng.random() < 0.15),
        glasses=pick(rng, {"round": 0.35, "square": 0.4, "rimless": 0.25}),
    )


def _shape(rng: np.random.Generator, male: bool, skin: float) -> Shape:
    return Shape(
        width=around(rng, 0.15 if male else -0.15),
        length=around(rng, 0.2 if male else -0.1),
        jaw=around(rng, 0.35 if male else -0.3),
        weight=around(rng, 0.0, 0.42),
        cheekbones=around(rng),
        forehead=around(rng),
        nose_width=around(rng, 0.3 * skin + (0.1 if male else -0.25)),
        nose_length=around(rng, 0.15 if male else -0.15),
        nose_point=float(rng.beta(1.6, 2)),
        mouth_width=around(rng),
        lips=around(rng, 0.5 * skin - (0.35 if male else 0.05)),
        ears=around(rng),
    )


def _eyes(rng: np.random.Generator, male: bool, skin: float) -> Eyes:
    is_narrow = rng.random() < 0.12
    return Eyes(
        colour=_eye_colour(rng, skin),
        size=around(rng, -0.1 if male else 0.2),
        narrow=float(rng.uniform(0.6, 1) if is_narrow else rng.uniform(0, 0.3)),
        slant=around(rng, 0.0 if male else 0.2),
        distance=around(rng),
        brow_bushy=float(rng.beta(3, 3) if male else rng.beta(1.5, 4)),
        brow_arch=float(rng.beta(1.5, 4) if male else rng.beta(3, 2.2)),
        brow_height=around(rng, -0.25 if male else 0.2),
    )


def _eye_colour(rng: np.random.Generator, skin: float) -> Colour:
    num_choices = len(EYE_COLOURS) if skin < 0.4 else 3
    red, green, blue = EYE_COLOURS[int(rng.integers(num_choices))]
    factor = rng.uniform(0.8, 1.15)
    return red * factor, green * factor, blue * factor


def _hair(rng: np.random.Generator, male: bool, age: float, skin: float) -> Hair:
    cut = _cut(rng, male, age)
    has_bangs = rng.random() < (0.18 if male else 0.3)
    recedes = male and rng.random() < 0.05 + 0.35 * age
    return Hair(
        tone=_tone(rng, skin, age),
        shade=around(rng, 0, 0.6),
        cut=cut,
        texture="curly" if cut == "curly" else _texture(rng, skin),
        volume=around(rng),
        parting=float(rng.choice([-1, 1]) * rng.uniform(0.1, 1)),
        bangs=bool(cut in ("bob", "long", "updo", "short") and has_bangs and not recedes),
        receding=float(rng.uniform(0.5, 1)) if recedes else 0.0,
        seed=int(rng.integers(1 << 30)),
    )


def _cut(rng: np.random.Generator, male: bool, age: float) -> HairCut:
    if not male:
        return pick(rng, {"long": 0.5, "bob": 0.2, "updo": 0.18, "curly": 0.08, "short": 0.05})
    chances: dict[HairCut, float] = {
        "short": 0.42,
        "quiff": 0.25,
        "buzz": 0.12,
        "curly": 0.09,
        "long": 0.04,
        "bald": 0.02 + 0.06 * age,
    }
    return pick(rng, chances)


def _texture(rng: np.random.Generator, skin: float) -> HairTexture:
    return pick(rng, {"straight": 0.55, "wavy": 0.45, "curly": 0.25 * skin})


def _tone(rng: np.random.Generator, skin: float, age: float) -> HairTone:
    if age > 0.5 and rng.random() < 0.45:
        return "grey"
    chances: dict[HairTone, float] = {
        "black": 0.16 + 0.8 * skin,
        "brown": 0.34,
        "blond": 0.4 * (1 - skin) ** 2.5,
        "auburn": 0.16 * (1 - skin) ** 2,
    }
    return pick(rng, chances)


def _beard(rng: np.random.Generator, male: bool) -> Beard:
    if not male:
        return "none"
    return pick(rng, {"none": 0.5, "shadow": 0.16, "mustache": 0.07, "goatee": 0.11, "full": 0.16})
