"""Aligned faces put back into their photographs."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae_shards import fit_image
from faceae_shards.faces import (
    TARGETS,
    align_face,
    locate_aligned,
    locate_centre,
    paste,
    paste_change,
)


@pytest.mark.parametrize("roll_deg", [-25.0, 0.0, 10.0])
def test_a_face_returns_to_its_place(
    roll_deg: float,
    draw_dots: Callable[..., NDArray[np.uint8]],
    place_face: Callable[..., NDArray[np.float64]],
) -> None:
    points = place_face((170, 150), 45.0, roll_deg)
    image = draw_dots(points, 320, 400)
    face = align_face(image, points, crop=178, size=128)
    to_image = locate_aligned(points, crop=178, size=128)
    blank = np.full_like(image, 128)
    pasted = paste(blank, face, to_image)
    assert np.abs(pasted.astype(int) - image).mean() < 1.5
    eyes = to_image.invert().apply(points[:2]) * 178 / 128
    assert eyes[1, 0] - eyes[0, 0] == pytest.approx(TARGETS[1, 0] - TARGETS[0, 0], abs=0.5)


@pytest.mark.parametrize(("crop", "size"), [(178, 64), (100, 50), (None, 64)])
def test_a_centre_square_returns_to_its_place(crop: int | None, size: int) -> None:
    y, x = np.mgrid[:218, :178]
    image = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    face = fit_image(image, crop, size)
    pasted = paste(image, face, locate_centre(218, 178, crop=crop, size=size))
    assert np.abs(pasted.astype(int) - image).max() <= 3


def test_the_edge_is_soft_and_the_rest_stays() -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    face = np.full((32, 32, 3), 200, np.uint8)
    pasted = paste(image, face, locate_centre(100, 120, crop=64, size=32))
    assert (pasted[50, 60] == 200).all()
    assert not pasted[:18].any()
    assert not pasted[:, :28].any()
    assert np.abs(np.diff(pasted[50, :, 0].astype(int))).max() < 40


def test_no_change_keeps_every_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 80, 3), np.uint8)
    to_image = locate_centre(90, 80, crop=None, size=16)
    assert np.array_equal(paste_change(image, np.zeros((16, 16, 3), np.float32), to_image), image)
