"""Features of sets, and the power of fine detail that sharpness compares."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.evaluation.samples import TextureSpace, describe_faces
from faceae.evaluation.samples._face_set import _fine_powers


def wave(cycles_per_pixel: float) -> torch.Tensor:
    x = np.arange(64)
    row = np.rint(127.5 + 100 * np.cos(2 * np.pi * cycles_per_pixel * x)).astype(np.uint8)
    return torch.from_numpy(np.broadcast_to(row, (1, 3, 64, 64)).copy())


def test_only_waves_of_at_most_five_pixels_are_fine() -> None:
    coarse, fine, finest = (float(_fine_powers(wave(f))) for f in (0.125, 0.25, 0.375))
    assert coarse < 1e-3 * fine
    assert finest == pytest.approx(fine, rel=0.05)


def test_fine_power_does_not_depend_on_the_size_of_the_picture() -> None:
    large = wave(0.25).repeat(1, 1, 2, 2)
    assert float(_fine_powers(large)) == pytest.approx(float(_fine_powers(wave(0.25))), rel=0.1)


def test_blur_takes_fine_power_away(held_out: NDArray[np.uint8]) -> None:
    space = TextureSpace()
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in held_out])
    sharp, soft = (
        describe_faces([torch.from_numpy(images).permute(0, 3, 1, 2)], space).fine_power
        for images in (held_out, blurred)
    )
    assert soft < 0.05 * sharp


def test_no_faces_are_an_error() -> None:
    with pytest.raises(FaceaeError, match="no faces"):
        describe_faces([], TextureSpace())
