"""Landmarks and boxes of a source's tables come before detection."""

from collections.abc import Sequence

import numpy as np
import pytest

from faceae_shards.faces import LANDMARK_NAMES, TARGETS, _photograph, align_faces, find_faces

from .conftest import draw_dots, place_face, see_dots


@pytest.fixture
def no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """No detector may be asked."""

    def fail(*_: object) -> None:
        raise AssertionError("a detector was asked")

    monkeypatch.setattr(_photograph, "detect_faces", fail)
    monkeypatch.setattr(_photograph, "detect_in_box", fail)


@pytest.mark.usefixtures("no_detector")
def test_told_landmarks_are_used() -> None:
    points = place_face((150, 100), 50.0, 25.0)
    told = dict(zip(LANDMARK_NAMES, points.tolist(), strict=True))
    (aligned,) = align_faces(draw_dots(points, 240, 320), landmarks=told)
    np.testing.assert_allclose(see_dots(aligned)[0].landmarks, TARGETS, atol=0.6)


@pytest.mark.usefixtures("dot_detector")
def test_landmarks_are_found_in_a_told_box() -> None:
    points = place_face((700, 300), 40.0, 20.0)
    (face,) = find_faces(draw_dots(points, 600, 900), box=[640, 230, 120, 150])
    np.testing.assert_allclose(face.landmarks, points, atol=1)


@pytest.mark.usefixtures("dot_detector")
def test_a_box_without_landmarks_is_framed_by_itself() -> None:
    image = np.zeros((600, 900, 3), np.uint8)
    (face,) = find_faces(image, box=[100, 100, 81, 112])
    assert face.score == 0
    np.testing.assert_allclose(face.landmarks, TARGETS + np.array([52, 28]))


@pytest.mark.usefixtures("dot_detector")
def test_no_face_gives_none() -> None:
    assert align_faces(np.zeros((300, 300, 3), np.uint8), size=64) == []


@pytest.mark.parametrize("box", [[0, 0, 0, 5], [0, 0, 5, -1], [0, float("nan"), 5, 5]])
def test_a_box_that_is_none(box: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="a box must be"):
        find_faces(np.zeros((9, 9, 3), np.uint8), box=box)


def test_landmarks_with_other_names() -> None:
    with pytest.raises(ValueError, match="lefteye, righteye"):
        find_faces(np.zeros((9, 9, 3), np.uint8), landmarks={"eye": [1, 2]})


def test_landmarks_that_are_all_one() -> None:
    told = {name: [0, 0] for name in LANDMARK_NAMES}
    with pytest.raises(ValueError, match="five points"):
        find_faces(np.zeros((9, 9, 3), np.uint8), landmarks=told)
