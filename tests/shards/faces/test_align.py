"""Framing as CelebA's, in one sampling."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae_shards import fit_image
from faceae_shards.faces import ALIGNED_HEIGHT, ALIGNED_WIDTH, TARGETS, Face, align_face

Draw = Callable[..., NDArray[np.uint8]]
Place = Callable[..., NDArray[np.float64]]
See = Callable[[NDArray[np.uint8]], list[Face]]


@pytest.mark.parametrize("roll_deg", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("between_eyes", [20.0, 37.5, 150.0, 300.0])
def test_landmarks_come_to_celebas_means(
    roll_deg: float, between_eyes: float, draw_dots: Draw, place_face: Place, see_dots: See
) -> None:
    side = int(between_eyes * 5)
    points = place_face((side / 2, side / 2), between_eyes, roll_deg)
    aligned = align_face(draw_dots(points, side, side), points)
    assert aligned.shape == (ALIGNED_HEIGHT, ALIGNED_WIDTH, 3)
    assert aligned.dtype == np.uint8
    np.testing.assert_allclose(see_dots(aligned)[0].landmarks, TARGETS, atol=0.6)


@pytest.mark.parametrize("shift", [0, 4])
def test_an_aligned_picture_is_not_moved(draw_dots: Draw, shift: int) -> None:
    image = draw_dots(TARGETS, ALIGNED_HEIGHT, ALIGNED_WIDTH)
    np.testing.assert_array_equal(align_face(image, TARGETS + shift), image)
    packed = fit_image(image, 178, 64)
    np.testing.assert_array_equal(align_face(image, TARGETS + shift, crop=178, size=64), packed)


def test_another_picture_of_the_aligned_size_is_moved(
    draw_dots: Draw, place_face: Place, see_dots: See
) -> None:
    points = place_face((110, 90), 25.0, 10.0)
    aligned = align_face(draw_dots(points, ALIGNED_HEIGHT, ALIGNED_WIDTH), points)
    np.testing.assert_allclose(see_dots(aligned)[0].landmarks, TARGETS, atol=0.6)


@pytest.mark.parametrize(("crop", "size"), [(178, 64), (None, 64), (140, 32), (100, None)])
def test_crop_and_size_frame_as_packing_does(
    crop: int | None, size: int | None, draw_dots: Draw
) -> None:
    image = draw_dots(TARGETS, ALIGNED_HEIGHT, ALIGNED_WIDTH)
    packed = fit_image(image, crop, size)
    aligned = align_face(image, TARGETS, crop=crop, size=size)
    assert aligned.shape == packed.shape
    assert np.abs(aligned.astype(int) - packed).mean() < 0.5


def test_what_is_finer_than_a_pixel_becomes_its_mean(place_face: Place) -> None:
    stripes = np.zeros((1000, 1000, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = align_face(stripes, place_face((500, 500), 160.0), size=64)
    assert np.abs(inner.astype(int) - 128).max() <= 4


def test_a_small_size_reads_as_a_supersampled_picture_scaled_down(place_face: Place) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 60, 3), np.uint8)
    photograph = np.array(Image.fromarray(coarse).resize((900, 900), Image.Resampling.BICUBIC))
    points = place_face((450, 450), 120.0, 20.0)
    large = Image.fromarray(align_face(photograph, points, size=1024))
    wanted = np.array(large.resize((64, 64), Image.Resampling.BICUBIC)).astype(float)
    error = np.mean((align_face(photograph, points, size=64) - wanted) ** 2)
    assert 10 * np.log10(255**2 / error) > 45


def test_beyond_the_edge_the_last_pixels_are_repeated(place_face: Place) -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    image[:, :, 0] = np.arange(300) // 2
    aligned = align_face(image, place_face((0, 150), 60.0))
    assert (aligned[:, 0] == 0).all()
    assert aligned[100, -1, 0] > 0


def test_a_face_outside_the_picture_shows_its_edge(place_face: Place) -> None:
    image = np.full((20, 30, 3), 7, np.uint8)
    assert (align_face(image, place_face((900, 900), 60.0)) == 7).all()


def test_a_picture_wider_than_opencv_takes(place_face: Place) -> None:
    image = np.zeros((40, 40_000, 3), np.uint8)
    image[:, 35_000:] = 200
    aligned = align_face(image, place_face((36_000, 20), 10.0), size=16)
    assert (aligned == 200).all()


@pytest.mark.parametrize(
    "landmarks",
    [np.full((5, 2), np.nan), np.zeros((5, 2)), np.zeros((4, 2)), np.full((5, 2), np.inf)],
    ids=["nan", "one point", "four", "inf"],
)
def test_landmarks_that_are_no_face(landmarks: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"landmarks|coincide"):
        align_face(np.zeros((9, 9, 3), np.uint8), landmarks)


@pytest.mark.parametrize("crop", [0, 179])
def test_crop_out_of_range(crop: int) -> None:
    with pytest.raises(ValueError, match=f"178, got {crop}"):
        align_face(np.zeros((9, 9, 3), np.uint8), TARGETS, crop=crop)
