"""Similarity transforms of the plane: rotation, one scale and a shift, no mirroring."""

import cmath
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Similarity:
    """Maps a point p to `rotation @ p + shift`. The centre of the first pixel is (0, 0)."""

    rotation: NDArray[np.float64]
    """2 x 2, a rotation times the scale."""
    shift: NDArray[np.float64]
    """x and y, pixels of the target."""

    @property
    def scale(self) -> float:
        """Pixels of the target along one pixel of the source."""
        return float(np.sqrt(np.linalg.det(self.rotation)))

    @property
    def angle_rad(self) -> float:
        """Clockwise in the picture, because y points down."""
        return float(np.arctan2(self.rotation[1, 0], self.rotation[0, 0]))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """2 x 3, as OpenCV takes it."""
        return np.column_stack([self.rotation, self.shift])

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points, N x 2."""
        return points @ self.rotation.T + self.shift

    def invert(self) -> "Similarity":
        """Return the inverse transform."""
        rotation = np.linalg.inv(self.rotation).astype(np.float64)
        return Similarity(rotation=rotation, shift=-rotation @ self.shift)

    def then(self, other: "Similarity") -> "Similarity":
        """Return the transform that applies this one first, then `other`."""
        return Similarity(
            rotation=other.rotation @ self.rotation,
            shift=other.rotation @ self.shift + other.shift,
        )


def fit_similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> Similarity:
    """Return the transform that takes N points closest to their targets, by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns"
    (1991). With points of the plane as complex numbers, rotation and scale are one quotient.

    Raises:
        ValueError: all points of `source` coincide.
    """
    centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    points, targets = _complex(source - centre), _complex(target - target_centre)
    spread = float(np.vdot(points, points).real)
    if spread == 0:
        raise ValueError("all points coincide")
    rotation = _rotation(complex(np.vdot(points, targets)) / spread)
    return Similarity(rotation=rotation, shift=target_centre - rotation @ centre)


def turn(scale: float, angle_rad: float) -> NDArray[np.float64]:
    """Return a rotation times a scale, 2 x 2."""
    return _rotation(cmath.rect(scale, angle_rad))


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return points[:, 0] + 1j * points[:, 1]


def _rotation(factor: complex) -> NDArray[np.float64]:
    return np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
