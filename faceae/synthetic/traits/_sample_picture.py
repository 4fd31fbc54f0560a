"""Random pictures of a person."""

import numpy as np

from ._palette import EYESHADOWS, LIPSTICKS, random_colour
from ._sample import PICTURE_STREAM, around, clipped, generator, pick
from ._traits import (
    Background,
    Beard,
    Camera,
    Clothes,
    Colour,
    Expression,
    Glasses,
    Identity,
    Lighting,
    Makeup,
    Outfit,
    Picture,
    Pose,
)


def sample_picture(seed: int, number: int, identity: Identity) -> Picture:
    """Return picture `number` of `seed`, which shows `identity`."""
    rng = generator(seed, PICTURE_STREAM, number)
    return Picture(
        pose=_pose(rng),
        expression=_expression(rng),
        light=Lighting(
            azimuth=clipped(rng, 0, 38, -75, 75),
            elevation=float(rng.uniform(5, 50)),
            hardness=float(rng.beta(2, 2)),
        ),
        camera=_camera(rng),
        outfit=_outfit(rng, identity),
        makeup=_makeup(rng, identity),
        beard=_beard(rng, identity.beard),
        eye_bags=_eye_bags(rng, identity.age),
        wrinkles=clipped(rng, identity.age, 0.04, 0, 1),
        background=_background(rng),
        seed=int(rng.integers(1 << 30)),
    )


def _pose(rng: np.random.Generator) -> Pose:
    return Pose(
        yaw=clipped(rng, 0, 11, -24, 24),
        pitch=clipped(rng, 0, 6, -13, 13),
        roll=clipped(rng, 0, 1.6, -5, 5),
        lean=clipped(rng, 0, 6, -14, 14),
        zoom=clipped(rng, 1, 0.03, 0.93, 1.08),
        shift=(clipped(rng, 0, 0.8, -3, 3), clipped(rng, 0, 0.7, -3, 3)),
    )


def _expression(rng: np.random.Generator) -> Expression:
    # Like age, a smile is either plain or absent.
    smile = float(rng.uniform(0.55, 1) if rng.random() < 0.48 else rng.uniform(-0.3, 0.2))
    is_open = rng.random() < (0.7 if smile > 0.5 else 0.22)
    return Expression(
        smile=smile,
        mouth_open=float(rng.uniform(0.3, 0.9)) if is_open else 0.0,
        eye_open=clipped(rng, 0.97, 0.08, 0.7, 1.15),
        gaze=(around(rng, 0, 0.35), around(rng, 0, 0.2)),
        brow_raise=around(rng, 0, 0.4),
    )


def _camera(rng: np.random.Generator) -> Camera:
    warmth, tint = float(rng.normal(0.01, 0.022)), float(rng.normal(0, 0.008))
    is_blurry = rng.random() < 0.05
    return Camera(
        exposure=clipped(rng, 1, 0.08, 0.8, 1.18),
        cast=(1 + warmth, 1 + tint, 1 - warmth),
        contrast=clipped(rng, 1.02, 0.06, 0.88, 1.18),
        blur=float(rng.uniform(1.6, 2.6) if is_blurry else rng.uniform(0, 0.45)),
        noise=float(rng.uniform(0.6, 2.4)),
    )


def _outfit(rng: np.random.Generator, identity: Identity) -> Outfit:
    male = identity.male
    clothes = _clothes(rng, male)
    bare_neck = clothes not in ("turtleneck", "shirt", "suit")
    return Outfit(
        clothes=clothes,
        colour=_clothes_colour(rng, clothes),
        glasses=_glasses(rng, identity),
        hat=pick(rng, {"none": 0.95, "cap": 0.018, "beanie": 0.016, "fedora": 0.016}),
        hat_colour=random_colour(rng, (0.1, 0.7), (0.15, 0.8)),
        earrings=bool(rng.random() < 0.36 and not male),
        necklace=bool(rng.random() < (0.04 if male else 0.32) and bare_neck),
        necktie=bool(rng.random() < 0.55 and male and clothes in ("suit", "shirt")),
    )


def _clothes(rng: np.random.Generator, male: bool) -> Clothes:
    chances: dict[Clothes, float]
    if male:
        chances = {
            "crew": 0.32,
            "suit": 0.29,
            "shirt": 0.26,
            "vneck": 0.07,
            "turtleneck": 0.06,
        }
    else:
        chances = {"scoop": 0.38, "vneck": 0.27, "crew": 0.18, "shirt": 0.1, "turtleneck": 0.07}
    return pick(rng, chances)


def _clothes_colour(rng: np.random.Generator, clothes: Clothes) -> Colour:
    if clothes == "suit":
        return random_colour(rng, (0.0, 0.35), (0.1, 0.35))
    if clothes == "shirt" and rng.random() < 0.5:
        return random_colour(rng, (0.0, 0.12), (0.85, 0.97))
    return random_colour(rng, (0.0, 0.75), (0.12, 0.92))


def _glasses(rng: np.random.Generator, identity: Identity) -> Glasses:
    mark = rng.random()
    if mark < 0.015:
        return "sun"
    return identity.glasses if mark < 0.07 + 0.1 * identity.age else "none"


def _makeup(rng: np.random.Generator, identity: Identity) -> Makeup:
    strength = 0.0 if identity.male else float(rng.choice([0.0, 0.3, 1.0], p=[0.3, 0.3, 0.4]))
    wears_lipstick = rng.random() < 0.35 + 0.5 * strength
    rosy = not identity.male and identity.skin < 0.6 and rng.random() < 0.14
    return Makeup(
        strength=strength,
        eyeshadow=EYESHADOWS[int(rng.integers(len(EYESHADOWS)))],
        lipstick=float(rng.uniform(0.7, 1)) if strength > 0 and wears_lipstick else 0.0,
        lipstick_colour=LIPSTICKS[int(rng.integers(len(LIPSTICKS)))],
        blush=float(rng.uniform(0.7, 1) if rosy else rng.uniform(0, 0.25)),
    )


def _beard(rng: np.random.Generator, usual: Beard) -> Beard:
    shaved = rng.random() < 0.15
    return pick(rng, {"none": 0.5, "shadow": 0.5}) if shaved and usual != "none" else usual


def _eye_bags(rng: np.random.Generator, age: float) -> float:
    has_bags = rng.random() < 0.12 + 0.3 * age
    return float(rng.uniform(0.55, 1)) if has_bags else 0.0


def _background(rng: np.random.Generator) -> Background:
    chances: dict[Background, float] = {
        "gradient": 0.2,
        "bokeh": 0.18,
        "wall": 0.16,
        "backdrop": 0.14,
        "foliage": 0.12,
        "window": 0.12,
        "bricks": 0.08,
    }
    return pick(rng, chances)
