"""Landmarks and boxes of a source's tables come before detection."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae_shards.faces import (
    LANDMARK_NAMES,
    TARGETS,
    Face,
    _photograph,
    align_face,
    align_faces,
    find_faces,
    measure_face,
)

Draw = Callable[..., NDArray[np.uint8]]
Place = Callable[..., NDArray[np.float64]]
See = Callable[[NDArray[np.uint8]], list[Face]]


@pytest.fixture
def no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """No detector may be asked."""

    def fail(*_: object) -> None:
        raise AssertionError("a detector was asked")

    monkeypatch.setattr(_photograph, "detect_faces", fail)
    monkeypatch.setattr(_photograph, "detect_in_box", fail)


@pytest.mark.usefixtures("no_detector")
def test_known_landmarks_are_used(draw_dots: Draw, place_face: Place, see_dots: See) -> None:
    points = place_face((150, 100), 50.0, 25.0)
    image = draw_dots(points, 240, 320)
    (face,) = find_faces(image, landmarks=dict(zip(LANDMARK_NAMES, points.tolist(), strict=True)))
    aligned = align_face(image, face.landmarks)
    np.testing.assert_allclose(see_dots(aligned)[0].landmarks, TARGETS, atol=0.6)


@pytest.mark.usefixtures("no_detector")
def test_left_may_be_the_persons_own_left(place_face: Place) -> None:
    points = place_face((150, 100), 50.0, 80.0)
    own = dict(zip(LANDMARK_NAMES, points[[1, 0, 2, 4, 3]].tolist(), strict=True))
    (face,) = find_faces(np.zeros((240, 320, 3), np.uint8), landmarks=own)
    np.testing.assert_array_equal(face.landmarks, points)


@pytest.mark.parametrize(("size", "step"), [(None, 2.0), (89, 4.0), (356, 1.0)])
def test_source_pixels_along_a_pixel(place_face: Place, size: int | None, step: float) -> None:
    points = place_face((150, 100), 2 * (TARGETS[1, 0] - TARGETS[0, 0]), 80.0)
    face = Face(box=(0, 0, 1, 1), score=1, landmarks=points)
    assert measure_face(face, crop=178, size=size) == pytest.approx(step)


@pytest.mark.usefixtures("dot_detector")
def test_landmarks_are_detected_in_a_known_box(draw_dots: Draw, place_face: Place) -> None:
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


def test_landmarks_that_coincide() -> None:
    known = {name: [0, 0] for name in LANDMARK_NAMES}
    with pytest.raises(ValueError, match="five points"):
        find_faces(np.zeros((9, 9, 3), np.uint8), landmarks=known)
