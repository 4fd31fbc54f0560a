"""The real detector on drawn faces; needs faceae[align]."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.synthetic import Face, annotate, draw_face, sample_identity, sample_picture
from faceae_shards.faces import TARGETS, align_faces, detect_faces, find_faces


def draw(number: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return a drawn face, 218 x 178 x 3, and its landmarks."""
    identity = sample_identity(1, number)
    picture = sample_picture(1, number, identity)
    annotation = annotate(Face(identity, picture))
    return draw_face(identity, picture), annotation.landmarks.reshape(5, 2).astype(np.float64)


def paste(
    image: NDArray[np.uint8], points: NDArray[np.float64], roll_deg: float, scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Put a picture into a grey scene of 1200 x 900, turned and scaled."""
    matrix = cv2.getRotationMatrix2D((89, 109), roll_deg, scale)
    matrix[:, 2] += [600, 350]
    scene = np.full((900, 1200, 3), 140, np.uint8)
    cv2.warpAffine(image, matrix, (1200, 900), scene, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    return scene, points @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("roll_deg", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_drawn_faces_are_found(roll_deg: float, scale: float) -> None:
    errors = []
    for number in range(10):
        scene, points = paste(*draw(number), roll_deg, scale)
        (face,) = detect_faces(scene, "largest")
        between_eyes = np.linalg.norm(points[1] - points[0])
        errors.append(np.linalg.norm(face.landmarks - points, axis=1).mean() / between_eyes)
    assert np.median(errors) < 0.12


def test_a_turned_face_is_framed_upright() -> None:
    scene, _ = paste(*draw(3), 25.0, 1.5)
    (aligned,) = align_faces(scene)
    (face,) = find_faces(aligned)
    assert np.abs(face.landmarks[:2] - TARGETS[:2]).max() < 3


def test_the_same_face_in_every_call() -> None:
    scene, _ = paste(*draw(4), 10.0, 1.0)
    first, second = (detect_faces(scene)[0].landmarks for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_no_face_on_plain_pictures(value: int) -> None:
    assert detect_faces(np.full((300, 400, 3), value, np.uint8)) == []


def test_no_face_in_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert detect_faces(noise) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 5000), (5000, 2)])
def test_no_face_in_slivers(shape: tuple[int, int]) -> None:
    assert detect_faces(np.zeros((*shape, 3), np.uint8)) == []


def test_a_face_that_fills_the_picture() -> None:
    image, points = draw(5)
    tight = np.ascontiguousarray(image[70:190, 40:140])
    (face,) = detect_faces(tight, "largest")
    assert np.linalg.norm(face.landmarks - (points - [40, 70]), axis=1).mean() < 8


def test_a_face_of_24_pixels() -> None:
    small = cv2.resize(draw(6)[0], (45, 55), interpolation=cv2.INTER_AREA)
    assert len(detect_faces(small)) == 1
