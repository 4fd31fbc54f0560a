"""Pictures with known faces: drawn ones, changed ones, and photographs in larger scenes.

H x W x 3 arrays are uint8, RGB. Landmarks are 5 x 2, x and y in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceae.synthetic import Face, annotate, draw_face, sample_identity, sample_picture

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

MAX_ROLL_DEG = 30.0
MIN_SCALE = 0.4
MIN_LIGHT = 0.35
"""Brightness of the dark side, as a share of the picture's own."""
SHARES = (0.1, 0.5)
"""Of a photograph's height in the shorter side of its scene."""
_SCENE_SIZES = ((1200, 1600), (3000, 4000), (900, 700))
_SCENE_ODDS = (0.6, 0.2, 0.2)
_REACH = 0.71
"""Half of a turned square's diagonal, in sides."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnFace:
    """A face of `faceae synth`, 218 x 178, and what is known of it."""

    image_HWC: Picture
    landmarks: Points
    yaw_deg: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Changed:
    """A picture made from another one."""

    image_HWC: Picture
    matrix: NDArray[np.float64]
    """2 x 3, from the pixels of the other one."""

    def apply(self, points: Points) -> Points:
        """Return points of the other picture in this one."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def draw(number: int) -> DrawnFace:
    """Draw a face by its number."""
    identity = sample_identity(1, number)
    picture = sample_picture(1, number, identity)
    points = annotate(Face(identity, picture)).landmarks.reshape(5, 2).astype(np.float64)
    return DrawnFace(
        image_HWC=draw_face(identity, picture), landmarks=points, yaw_deg=picture.pose.yaw
    )


def turn(image_HWC: Picture, roll_deg: float, scale: float) -> Changed:
    """Turn and shrink a picture within its own size; beyond its edges the last pixels repeat."""
    height, width, _ = image_HWC.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = _place((height, width), roll_deg, scale, middle)
    sharp = image_HWC if scale >= 1 else cv2.GaussianBlur(image_HWC, (0, 0), 0.35 / scale)
    turned = cv2.warpAffine(
        sharp, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return Changed(image_HWC=turned.astype(np.uint8), matrix=matrix)


def light(image_HWC: Picture, share: float, angle: float) -> Picture:
    """Darken a picture to a share of its brightness on one side, and brighten the other a bit."""
    height, width, _ = image_HWC.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = (x * np.cos(angle) + y * np.sin(angle) + np.sqrt(2)) / np.sqrt(8)
    factor = share + (1.2 - share) * slope
    return np.clip(image_HWC * factor[..., None], 0, 255).astype(np.uint8)


def paste(photograph_HWC: Picture, share: float, rng: np.random.Generator) -> Changed:
    """Put a square photograph somewhere into a larger scene, turned by up to 30 degrees.

    Args:
        share: of the photograph's height in the shorter side of the scene.
    """
    height, width = _SCENE_SIZES[rng.choice(len(_SCENE_SIZES), p=_SCENE_ODDS)]
    side = share * min(height, width)
    scale, reach = side / photograph_HWC.shape[0], _REACH * side
    middle = rng.uniform([reach, reach], [width - reach, height - reach])
    roll_deg = rng.uniform(-MAX_ROLL_DEG, MAX_ROLL_DEG)
    matrix = _place(photograph_HWC.shape[:2], roll_deg, scale, middle)
    sharp = photograph_HWC if scale >= 1 else cv2.GaussianBlur(photograph_HWC, (0, 0), 0.45 / scale)
    pasted = cv2.warpAffine(sharp, matrix, (width, height), flags=cv2.INTER_CUBIC)
    mask = np.full(photograph_HWC.shape[:2], 255, np.uint8)
    alpha = cv2.warpAffine(mask, matrix, (width, height)).astype(np.float32)[..., None] / 255
    image = draw_background(height, width, rng) * (1 - alpha) + pasted * alpha
    return Changed(image_HWC=(image + 0.5).astype(np.uint8), matrix=matrix)


def draw_background(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return clouds, boxes and discs, H x W x 3 float32 in [0, 255]."""
    image = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        cells = rng.standard_normal((2**octave, 2**octave, 3)).astype(np.float32)
        image += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    image = image / image.std() * 45 + rng.uniform(70, 180, 3).astype(np.float32)
    for _ in range(25):
        colour = tuple(rng.integers(0, 255, 3).tolist())
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        if rng.random() < 0.5:
            far = (x + int(rng.integers(20, width // 4)), y + int(rng.integers(20, height // 4)))
            cv2.rectangle(image, (x, y), far, colour, -1)
        else:
            cv2.circle(image, (x, y), int(rng.integers(10, width // 8)), colour, -1)
    noise = rng.standard_normal(image.shape, dtype=np.float32) * 4
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) + noise, 0, 255).astype(np.float32)


def _place(
    size_HW: tuple[int, ...], roll_deg: float, scale: float, middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix that moves a picture's middle, turned and scaled."""
    roll = np.deg2rad(roll_deg)
    rotation = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    own = np.array([(size_HW[1] - 1) / 2, (size_HW[0] - 1) / 2])
    return np.column_stack([rotation, middle - rotation @ own])
