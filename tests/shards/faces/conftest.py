"""A picture with a face of five dots, and a detector that sees dots."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae_shards.faces import TARGETS, Face, _detect

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
COLOURS = (RED, RED, BLUE, GREEN, GREEN)


def _draw_dots(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.uint8]:
    """Draw soft dots on grey, whose radius is a fifth of the distance between the eyes."""
    y, x = np.mgrid[:height, :width]
    radius = np.linalg.norm(points[1] - points[0]) / 5
    image = np.full((height, width, 3), 128.0)
    for (left, top), colour in zip(points, COLOURS, strict=True):
        far = np.hypot(x - left, y - top)
        share = np.clip(radius - far, 0, 1)[..., None]
        image = image * (1 - share) + np.array(colour) * share
    return np.round(image).astype(np.uint8)


def _place_face(
    middle: tuple[float, float], between_eyes: float, roll_deg: float = 0.0
) -> NDArray[np.float64]:
    """Return landmarks as in CelebA's aligned pictures, moved, scaled and turned clockwise."""
    roll = np.deg2rad(roll_deg)
    step = between_eyes / (TARGETS[1, 0] - TARGETS[0, 0])
    rotation = step * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points: NDArray[np.float64] = (TARGETS - TARGETS.mean(axis=0)) @ rotation.T + middle
    return points


def _see_dots(image_HWC: NDArray[np.uint8]) -> list[Face]:
    """Return one face where there are dots of all colours."""
    pixels = image_HWC.astype(int)
    strong = [pixels[..., channel] - pixels.sum(axis=2) / 3 > 60 for channel in range(3)]
    if not all(mask.any() for mask in strong):
        return []
    red, green, blue = (np.argwhere(mask)[:, ::-1].astype(float) for mask in strong)
    points = np.array([*_halves(red), blue.mean(axis=0), *_halves(green)])
    low, high = points.min(axis=0), points.max(axis=0)
    return [
        Face(
            box=(*(low * 1.5 - high / 2).tolist(), *(2 * (high - low)).tolist()),
            score=0.9,
            landmarks=points,
        )
    ]


def _halves(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    is_left = points[:, 0] < points[:, 0].mean()
    return [points[is_left].mean(axis=0), points[~is_left].mean(axis=0)]


@pytest.fixture(scope="session")
def draw_dots() -> Callable[..., NDArray[np.uint8]]:
    """See `_draw_dots`."""
    return _draw_dots


@pytest.fixture(scope="session")
def place_face() -> Callable[..., NDArray[np.float64]]:
    """See `_place_face`."""
    return _place_face


@pytest.fixture(scope="session")
def see_dots() -> Callable[[NDArray[np.uint8]], list[Face]]:
    """See `_see_dots`."""
    return _see_dots


@pytest.fixture
def dot_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect dots instead of faces."""
    monkeypatch.setattr(_detect, "run_yunet", _see_dots)
    # It sees turned faces as they are; YuNet sees half of the turn.
    monkeypatch.setattr(_detect, "_TURN_GAIN", 1.0)
