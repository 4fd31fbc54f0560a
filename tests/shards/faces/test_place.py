"""Faces are framed as they lie in pictures that were not aligned."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae_shards.faces import TARGETS, Face, Place, _place, locate_at, measure_place
from faceae_shards.faces._similarity import turn

PLACE = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))


def roll(degrees: float) -> NDArray[np.float64]:
    """Landmarks of a face that is turned clockwise about the point (300, 200)."""
    rotation = turn(2.0, np.deg2rad(degrees))
    turned: NDArray[np.float64] = (TARGETS - TARGETS.mean(axis=0)) @ rotation.T + [300, 200]
    return turned


@pytest.mark.parametrize(
    ("degrees", "turned"), [(0, 0), (20, 0), (-30, 0), (90, 90), (170, 180), (-100, -90)]
)
def test_a_face_keeps_its_roll_but_for_quarters(degrees: float, turned: float) -> None:
    landmarks = roll(degrees)
    to_photograph = locate_at(landmarks, PLACE, 64)
    angle = np.rad2deg(to_photograph.angle_rad)
    assert np.isclose((angle - turned + 180) % 360 - 180, 0, atol=1e-6)
    middle = np.array([[0.5, 0.6]]) * 64 - 0.5
    between = (landmarks[:2].mean(axis=0) + landmarks[3:].mean(axis=0)) / 2
    assert np.allclose(to_photograph.apply(middle)[0], between)


def test_the_distance_from_eyes_to_mouth_gives_the_scale() -> None:
    reach = 2 * (152.514 - 111.0)
    assert locate_at(roll(0), PLACE, 64).scale == pytest.approx(reach / (0.4 * 64), rel=1e-4)


@pytest.fixture
def light_is_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """See a face in every picture that is not black; the colour moves it to the right."""

    def see(image_HWC: NDArray[np.uint8], which: str) -> list[Face]:
        shift = [float(image_HWC[0, 0, 0]), 0.0]
        landmarks = TARGETS * len(image_HWC) / 218 + shift
        return [Face(box=(0, 0, 9, 9), score=1, landmarks=landmarks)] if image_HWC.any() else []

    monkeypatch.setattr(_place, "detect_faces", see)


@pytest.mark.usefixtures("light_is_a_face")
def test_the_median_place_of_all_sizes() -> None:
    images = [np.full((side, side + 30, 3), 1, np.uint8) for side in (109, 218, 436)]
    place = measure_place([*images, np.full((218, 218, 3), 90, np.uint8)])
    assert place is not None
    assert place.eyes[0][1] == pytest.approx(111.5 / 218, abs=0.005)
    assert place.eyes[0][0] == pytest.approx(71 / 218, abs=0.01)


@pytest.mark.usefixtures("light_is_a_face")
@pytest.mark.parametrize("num_faces", [0, 4])
def test_few_faces_have_no_place(num_faces: int) -> None:
    images = [np.full((64, 64, 3), number < num_faces, np.uint8) for number in range(9)]
    assert measure_place(images) is None


def test_a_place_is_kept_as_json() -> None:
    assert Place.from_json(json.loads(json.dumps(asdict(PLACE)))) == PLACE


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"eyes": [[0.3, 0.4], [0.7, 0.4]]}, KeyError),
        ({"eyes": [[0.3, 0.4]], "mouth": [0.5, 0.8]}, ValueError),
        ({"eyes": [[0.3, 0.4], [0.7, 0.4]], "mouth": [0.5, float("nan")]}, ValueError),
        ({"eyes": 3, "mouth": [0.5, 0.8]}, TypeError),
    ],
)
def test_no_place(content: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Place.from_json(content)
