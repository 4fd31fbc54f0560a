"""A plain person, and single changes to them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.synthetic import Face, Identity, Picture, draw_face
from faceae.synthetic.traits._traits import (
    Camera,
    Expression,
    Eyes,
    Hair,
    Lighting,
    Makeup,
    Outfit,
    Pose,
    Shape,
)

PERSON = Identity(
    male=False,
    age=0.1,
    skin=0.2,
    undertone=0.0,
    shape=Shape(
        width=0.0,
        length=0.0,
        jaw=0.0,
        weight=0.0,
        cheekbones=0.0,
        forehead=0.0,
        nose_width=0.0,
        nose_length=0.0,
        nose_point=0.3,
        mouth_width=0.0,
        lips=0.0,
        ears=0.0,
    ),
    eyes=Eyes(
        colour=(92, 58, 32),
        size=0.0,
        narrow=0.0,
        slant=0.0,
        distance=0.0,
        brow_bushy=0.3,
        brow_arch=0.3,
        brow_height=0.0,
    ),
    hair=Hair(
        tone="black",
        shade=0.0,
        cut="short",
        texture="straight",
        volume=0.0,
        parting=0.5,
        bangs=False,
        receding=0.0,
        seed=1,
    ),
    beard="none",
    sideburns=False,
    glasses="round",
)
PICTURE = Picture(
    pose=Pose(yaw=0.0, pitch=0.0, roll=0.0, lean=0.0, zoom=1.0, shift=(0.0, 0.0)),
    expression=Expression(smile=0.0, mouth_open=0.0, eye_open=1.0, gaze=(0.0, 0.0), brow_raise=0.0),
    light=Lighting(azimuth=0.0, elevation=20.0, hardness=0.3),
    camera=Camera(exposure=1.0, cast=(1.0, 1.0, 1.0), contrast=1.0, blur=0.0, noise=0.0),
    outfit=Outfit(
        clothes="vneck",
        colour=(60.0, 90.0, 120.0),
        glasses="none",
        hat="none",
        hat_colour=(90.0, 40.0, 40.0),
        earrings=False,
        necklace=False,
        necktie=False,
    ),
    makeup=Makeup(
        strength=0.0,
        eyeshadow=(92, 70, 62),
        lipstick=0.0,
        lipstick_colour=(188, 32, 44),
        blush=0.0,
    ),
    beard="none",
    eye_bags=0.0,
    wrinkles=0.1,
    background="gradient",
    seed=1,
)

Portrait = Callable[..., tuple[Face, NDArray[np.int16]]]


def _changed(whole: Any, path: str, value: object) -> Any:
    head, _, rest = path.partition(".")
    return replace(whole, **{head: _changed(getattr(whole, head), rest, value) if rest else value})


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    """Return a function that draws the plain person with changes, `person.…` or `picture.…`."""

    def draw(changes: Mapping[str, object] | None = None) -> tuple[Face, NDArray[np.int16]]:
        parts: dict[str, Any] = {"person": PERSON, "picture": PICTURE}
        for path, value in (changes or {}).items():
            name, _, rest = path.partition(".")
            parts[name] = _changed(parts[name], rest, value)
        face = Face(parts["person"], parts["picture"])
        return face, draw_face(face.identity, face.picture).astype(np.int16)

    return draw
