"""Pictures, people and landmarks."""

from collections.abc import Callable
from itertools import combinations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.synthetic import (
    Face,
    Identity,
    Picture,
    annotate,
    draw_face,
    sample_identity,
    sample_picture,
)

Portrait = Callable[..., tuple[Face, NDArray[np.int16]]]


def sample(number: int, seed: int = 11) -> tuple[Identity, Picture]:
    identity = sample_identity(seed, number)
    return identity, sample_picture(seed, number, identity)


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Identity, Picture, NDArray[np.uint8]]]:
    """Sixty different people."""
    people = [sample(number) for number in range(60)]
    return [(identity, picture, draw_face(identity, picture)) for identity, picture in people]


def test_draw_face_returns_celebas_shape() -> None:
    pixels = draw_face(*sample(0))
    assert pixels.shape == (218, 178, 3)
    assert pixels.dtype == np.uint8


def test_draw_face_is_a_function_of_its_arguments() -> None:
    first, second = (draw_face(*sample(3)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, draw_face(*sample(4)))


def test_person_stays_the_same_over_pictures() -> None:
    identity = sample_identity(2, 5)
    assert identity == sample_identity(2, 5)
    assert identity != sample_identity(2, 6)
    assert identity != sample_identity(3, 5)
    assert sample_picture(2, 10, identity) != sample_picture(2, 11, identity)


def test_faces_differ(drawn: list[tuple[Identity, Picture, NDArray[np.uint8]]]) -> None:
    small = [cv2.resize(pixels, (44, 54)).astype(np.int16) for _, _, pixels in drawn]
    differences = [np.abs(a - b).mean() for a, b in combinations(small, 2)]
    assert min(differences) > 12
    assert np.mean(differences) > 45


def test_skin_hair_and_backgrounds_cover_their_range(
    drawn: list[tuple[Identity, Picture, NDArray[np.uint8]]],
) -> None:
    identities = [identity for identity, _, _ in drawn]
    assert {identity.hair.tone for identity in identities} == {
        "black",
        "brown",
        "blond",
        "auburn",
        "grey",
    }
    assert min(identity.skin for identity in identities) < 0.05
    assert max(identity.skin for identity in identities) > 0.85
    assert len({picture.background for _, picture, _ in drawn}) == 7
    assert 15 < sum(identity.male for identity in identities) < 45


def test_landmarks_lie_in_the_picture_where_celeba_has_them() -> None:
    landmarks = np.array([annotate(Face(*sample(number))).landmarks for number in range(300)])
    points = landmarks.reshape(-1, 5, 2)
    assert (points >= 0).all()
    assert (points < (178, 218)).all()
    middle = points.mean(axis=0)
    expected = [(69, 111), (108, 111), (88, 135), (71, 152), (106, 152)]
    assert np.abs(middle - expected).max() < 4
    assert (points[:, 0, 0] < points[:, 1, 0]).all()
    assert (points[:, :2].std(axis=0) < 4).all()


def test_eye_landmarks_are_dark_pupils(portrait: Portrait) -> None:
    for yaw in (-20.0, 0.0, 20.0):
        face, pixels = portrait({"picture.pose.yaw": yaw})
        (left_x, left_y, right_x, right_y) = annotate(face).landmarks[:4]
        for x, y in ((left_x, left_y), (right_x, right_y)):
            white = pixels[y - 3 : y + 4, x - 8 : x + 9].max(axis=(0, 1)).mean()
            assert pixels[y, x].mean() < 60
            assert white > 150


def test_nose_follows_the_turned_head(portrait: Portrait) -> None:
    left, right = (annotate(portrait({"picture.pose.yaw": yaw})[0]) for yaw in (-20.0, 20.0))
    assert right.landmarks[4] > left.landmarks[4] + 8


def test_box_holds_the_landmarks() -> None:
    for number in range(100):
        annotation = annotate(Face(*sample(number)))
        x, y, width, height = annotation.box
        points = annotation.landmarks.reshape(5, 2)
        assert (points >= (x, y)).all()
        assert (points < (x + width, y + height)).all()
        assert x >= 0
        assert y >= 0
        assert x + width <= 178
        assert y + height <= 218


def test_light_from_the_side_shades_the_other_one(portrait: Portrait) -> None:
    hard = {"picture.light.hardness": 1.0}
    _, from_left = portrait({**hard, "picture.light.azimuth": -60.0})
    _, from_right = portrait({**hard, "picture.light.azimuth": 60.0})
    left_cheek, right_cheek = np.s_[125:145, 52:66], np.s_[125:145, 112:126]
    assert from_left[left_cheek].mean() > from_left[right_cheek].mean() + 25
    assert from_right[right_cheek].mean() > from_right[left_cheek].mean() + 25


@pytest.mark.parametrize("edge", [-1.0, 1.0])
def test_extreme_traits_can_be_drawn(portrait: Portrait, edge: float) -> None:
    """The corners of every range: nothing leaves the picture in a way drawing cannot bear."""
    changes = {
        "picture.pose.yaw": 24 * edge,
        "picture.pose.pitch": 13 * edge,
        "picture.pose.roll": 5 * edge,
        "picture.pose.lean": 14 * edge,
        "picture.pose.zoom": 1 + 0.08 * edge,
        "picture.pose.shift": (3 * edge, 3 * edge),
        "person.shape.width": edge,
        "person.shape.weight": edge,
        "person.hair.volume": edge,
        "person.hair.cut": "long",
        "person.hair.bangs": True,
        "picture.outfit.hat": "fedora",
        "picture.outfit.glasses": "sun",
        "picture.outfit.earrings": True,
        "picture.outfit.clothes": "scoop",
        "picture.beard": "full",
        "picture.expression.mouth_open": 0.9,
    }
    _, pixels = portrait(changes)
    assert pixels.std() > 20
