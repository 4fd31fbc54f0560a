"""Sets of drawn pictures; no photograph is committed."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

NUM_PICTURES = 150


def draw_shapes(num_images: int, seed: int, size: int = 64) -> NDArray[np.uint8]:
    """Bright ellipses with sharp edges on a shaded ground, N x size x size x 3."""
    random = np.random.default_rng(seed)
    images = np.empty((num_images, size, size, 3), np.uint8)
    for image in images:
        image[:] = random.integers(20, 120, 3)
        for _ in range(4):
            centre = tuple(int(v) for v in random.integers(size // 4, 3 * size // 4, 2))
            axes = tuple(int(v) for v in random.integers(size // 12, size // 3, 2))
            colour = tuple(int(v) for v in random.integers(0, 256, 3))
            angle = float(random.uniform(0, 180))
            cv2.ellipse(image, centre, axes, angle, 0, 360, colour, -1)
    return images


@pytest.fixture(scope="session")
def train() -> NDArray[np.uint8]:
    return draw_shapes(2 * NUM_PICTURES, seed=0)


@pytest.fixture(scope="session")
def held_out() -> NDArray[np.uint8]:
    return draw_shapes(NUM_PICTURES, seed=1)


@pytest.fixture(scope="session")
def others() -> NDArray[np.uint8]:
    """More pictures of the same kind."""
    return draw_shapes(NUM_PICTURES, seed=2)
