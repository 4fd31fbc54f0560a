"""Geometry of a face: a head in three dimensions, turned and aligned on the eyes.

Head units are pixels of an unturned head at the usual size; the origin lies between the eyes, x
runs to the picture's right, y down, z towards the camera.
"""

from dataclasses import dataclass
from functools import cached_property
from math import cos, radians, sin

import numpy as np
from numpy.typing import ArrayLike

from ..canvas import Points, curve
from ..traits import Identity, Picture

EYES_AT = (88.5, 111.5)
"""The point between the eyes in CelebA's aligned pictures, pixels."""
_DEPTH = 40.0
"""Depth of the face towards the camera, head units."""
_NOSE_LIFT = 13.0
"""Depth of the tip of the nose, head units."""

SIDES = (-1, 1)
"""Signs of the picture's left and right side."""


@dataclass(frozen=True)
class Face:
    """A person in a picture, and the mapping from head units to pixels."""

    identity: Identity
    picture: Picture

    @cached_property
    def half_width(self) -> float:
        """Distance from the middle to the cheekbone, head units."""
        return 41.5 + 2.6 * self.identity.shape.width + 2.6 * self.identity.shape.weight

    @cached_property
    def chin(self) -> float:
        """Height of the chin, head units."""
        return 67.5 + 3.5 * self.identity.shape.length + 3.5 * self.picture.expression.mouth_open

    @cached_property
    def eye_x(self) -> float:
        """Distance from the middle to the centre of an eye, head units."""
        return 19.5 + 0.9 * self.identity.eyes.distance

    @cached_property
    def nose_y(self) -> float:
        """Height of the tip of the nose, head units."""
        return 24.0 + 2.2 * self.identity.shape.nose_length

    @property
    def nose_z(self) -> float:
        """Depth of the tip of the nose towards the camera, head units."""
        return _DEPTH + _NOSE_LIFT

    @property
    def cheek_height(self) -> float:
        """Depth of the cheeks, head units."""
        smile = max(self.picture.expression.smile, 0.0)
        return 3.4 + 1.6 * self.identity.shape.cheekbones + 2.2 * smile

    @cached_property
    def mouth_y(self) -> float:
        """Height of the line between the lips, head units."""
        return self.nose_y + 17.0 + 0.8 * self.identity.shape.length

    @cached_property
    def mouth_half_width(self) -> float:
        """Distance from the middle to a corner of the mouth, head units."""
        smile = max(self.picture.expression.smile, 0.0)
        return 13.6 + 1.3 * self.identity.shape.mouth_width + 3.2 * smile

    @property
    def old(self) -> float:
        """Strength of age lines, 0 to 1."""
        return max(self.picture.wrinkles - 0.3, 0.0) / 0.7

    @property
    def has_double_chin(self) -> bool:
        return self.identity.shape.weight > 0.55

    @property
    def has_sideburns(self) -> bool:
        return self.identity.sideburns and self.identity.hair.cut != "bald"

    @cached_property
    def scale(self) -> float:
        """Pixels per head unit."""
        pose = self.picture.pose
        return float(pose.zoom / cos(radians(pose.yaw)) ** 0.8)

    @cached_property
    def _matrix(self) -> Points:
        """Matrix from head units to pixels without the offset, 3 x 2."""
        pose = self.picture.pose
        yaw, pitch, roll = radians(pose.yaw), radians(pose.pitch), radians(pose.roll)
        x_row = np.array([cos(yaw), 0.0, sin(yaw)])
        y_row = np.array([-sin(yaw) * sin(pitch), cos(pitch), cos(yaw) * sin(pitch)])
        turned = [x_row * cos(roll) - y_row * sin(roll), x_row * sin(roll) + y_row * cos(roll)]
        return np.asarray(self.scale * np.array(turned).T)

    @cached_property
    def _offset(self) -> Points:
        eyes = np.array([0.0, 0.0, self.depth(self.eye_x, 0.0)]) @ self._matrix
        nose = np.array([0.0, 24.0, self.nose_z]) @ self._matrix
        # CelebA aligns on five points, which moves the eyes away from a turned nose.
        turned = 0.2 * (nose - eyes - (0.0, 24.0 * self.scale))
        return np.asarray(EYES_AT) + self.picture.pose.shift - eyes - turned

    def depth(self, x: ArrayLike, y: ArrayLike) -> Points:
        """Return the z of the face's surface without the nose, head units."""
        across, down = np.asarray(x) / (self.half_width + 2), (np.asarray(y) - 2) / 92
        rest = 1 - across * across - down * down
        return np.asarray(_DEPTH * np.sqrt(np.maximum(rest, 0.03)))

    def project(self, points: ArrayLike) -> Points:
        """Return the pixel positions, N x 2, of points in head units, N x 3."""
        return np.asarray(points, np.float64) @ self._matrix + self._offset

    def place(self, points: ArrayLike, lift: float = 0.0) -> Points:
        """Return the pixel positions, N x 2, of points on the face (x, y), `lift` above it."""
        xy = np.asarray(points, np.float64)
        xyz = np.empty((len(xy), 3))
        xyz[:, :2] = xy
        xyz[:, 2] = self.depth(xy[:, 0], xy[:, 1]) + lift
        return xyz @ self._matrix + self._offset

    def mirrored(self, points: Points, lift: float = 0.0) -> Points:
        """Return a right-side path and its mirror image, 2 x N x 2 pixels, the left one first."""
        both = np.concatenate([points * (-1, 1), points])
        return self.place(both, lift).reshape(2, len(points), 2)

    def flat(self, points: ArrayLike, z: float = 0.0) -> Points:
        """Return the pixel positions, N x 2, of points (x, y) around the head's silhouette.

        A skull is about as deep as wide, so its silhouette keeps its width when it turns.
        """
        xy = np.array(points, np.float64)
        xy[:, 0] /= cos(radians(self.picture.pose.yaw))
        return np.asarray(xy @ self._matrix[:2] + z * self._matrix[2] + self._offset)

    @cached_property
    def outline(self) -> Points:
        """The edge of the face from crown to chin, closed, pixels."""
        right = self._half_outline()
        left = right[-2:0:-1] * (-1, 1, 1)
        closed = np.concatenate([right, left])
        # A turned skull keeps its width: new parts come into view as others leave it.
        upper = np.clip((70 - np.abs(closed[:, 1] + 4)) / 40, 0, 1)
        closed[:, 0] *= 1 + (1 / cos(radians(self.picture.pose.yaw)) - 1) * upper
        return self.project(curve(closed, closed=True, steps=5))

    def _half_outline(self) -> Points:
        traits, width, chin = self.identity, self.half_width, self.chin
        jaw = 0.80 + 0.05 * traits.shape.jaw + 0.07 * traits.shape.weight
        chin_side = 0.50 + 0.07 * traits.shape.jaw + 0.05 * traits.shape.weight
        return np.array(
            [
                (0.0, -66.0, 0.0),
                (0.52 * width, -60.0, 0.0),
                (0.90 * width, -40.0, 0.0),
                (1.00 * width, -14.0, 3.0),
                (1.00 * width, 8.0, 6.0),
                ((0.95 + 0.03 * traits.shape.weight) * width, 27.0, 8.0),
                (jaw * width, 0.66 * chin, 12.0),
                (chin_side * width, 0.88 * chin, 20.0),
                (0.24 * width, 0.985 * chin, 27.0),
                (0.0, chin, 28.0),
            ]
        )

    @cached_property
    def neck_half_width(self) -> float:
        """Head units."""
        share = 0.66 if self.identity.male else 0.53
        return share * self.half_width + 2.5 * self.identity.shape.weight

    def body(self, points: ArrayLike) -> Points:
        """Return the pixel positions of points of neck and shoulders, N x 2 head units.

        The body faces the camera and leans against the head.
        """
        lean = radians(self.picture.pose.lean)
        turn = self.scale * np.array([[cos(lean), sin(lean)], [-sin(lean), cos(lean)]])
        pivot = (0.0, 60.0)
        return np.asarray((np.asarray(points) - pivot) @ turn + self.flat([pivot]))
