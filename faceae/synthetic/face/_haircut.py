"""Shapes of haircuts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..canvas import Flow, Points, curve, ellipse, moved
from ..traits import HairCut, Identity
from ._face import SIDES, Face

_VOLUMES: dict[HairCut, float] = {
    "bald": 0.0,
    "buzz": 2.0,
    "short": 6.0,
    "quiff": 8.0,
    "curly": 14.0,
    "bob": 9.0,
    "long": 8.0,
    "updo": 6.0,
}
"""Distance of the hair from the head, head units."""
_VOLUME_UNDER_HAT = 3.0


def hair_flow(identity: Identity) -> Flow:
    """Return the flow of a person's strands."""
    if identity.hair.texture == "curly":
        return "curly"
    if identity.hair.cut in ("buzz", "short", "quiff", "updo", "bald"):
        return "cropped"
    return "wavy" if identity.hair.texture == "wavy" else "straight"


@dataclass(frozen=True)
class Haircut:
    """Outlines of a person's hair, pixels."""

    face: Face

    @cached_property
    def _volume(self) -> float:
        if self.face.picture.outfit.hat != "none":
            return _VOLUME_UNDER_HAT
        traits = self.face.identity
        return _VOLUMES[traits.hair.cut] * (1 + 0.35 * traits.hair.volume)

    @property
    def _hangs(self) -> bool:
        return self.face.identity.hair.cut in ("bob", "long")

    def front(self) -> list[Points]:
        """Return the shapes over the head."""
        traits, hatless = self.face.identity, self.face.picture.outfit.hat == "none"
        if traits.hair.cut == "bald":
            return self._wreath() if traits.age > 0.5 else []
        shapes = [self._cap()]
        if self._hangs:
            shapes += self._curtains()
        if traits.hair.cut == "curly":
            shapes += self._tufts()
        if traits.hair.cut == "quiff" and hatless:
            shapes.append(self._quiff())
        if traits.hair.cut == "updo" and hatless and traits.hair.seed % 2:
            shapes.append(self.face.flat(ellipse((3, -72 - self._volume), 17, 13, num=28), z=-14))
        return shapes

    def back(self) -> list[Points]:
        """Return the shapes behind the neck."""
        cut, width, v = self.face.identity.hair.cut, self.face.half_width, self._volume
        if cut == "long":
            bottom = [(width + v + 2, 75), (width + v + 2, 125)]
            right = [(0.9 * width, -20), (width + 0.7 * v, 20), *bottom]
        elif cut == "bob":
            bottom = [(width + 0.8 * v, 48), (0.5 * width, 72)]
            right = [(0.9 * width, -20), (width + 0.7 * v, 16), *bottom]
        elif cut == "curly" and not self.face.identity.male:
            bottom = [(width + v + 2, 44), (0.5 * width, 62)]
            right = [(width + v, -30), (width + v + 6, 5), *bottom]
        else:
            return []
        points = right + [(-x, y) for x, y in right[::-1]]
        return [self.face.flat(curve(points, closed=True), z=-12)]

    def fringe(self) -> list[Points]:
        """Return the bangs."""
        traits, width = self.face.identity, self.face.half_width
        if not traits.hair.bangs or self.face.picture.outfit.hat != "none":
            return []
        x = np.linspace(-0.86, 0.86, 15)
        ragged = np.random.default_rng(traits.hair.seed).uniform(-2.2, 2.2, len(x))
        ends = np.stack([x * width, -19 + 4 * x**2 + ragged], axis=1)
        top = [(0.9 * width, -36), (0.5 * width, -56), (-0.5 * width, -56), (-0.9 * width, -36)]
        return [self.face.place(np.concatenate([ends, curve(top)]), 3)]

    def _cap(self) -> Points:
        """Return the hair over the skull, down to the hairline."""
        v, width, end = self._volume, self.face.half_width, self._side_end()
        right = [
            (0.0, -67 - v),
            (0.52 * width + 0.4 * v, -61.5 - 0.75 * v),
            (0.90 * width + 0.62 * v, -41 - 0.4 * v),
            (width + (0.55 if self._hangs else 0.4) * v, -14),
            (width + (0.42 if self._hangs else 0.05) * v, end),
        ]
        outer = [(-x, y) for x, y in right[:0:-1]] + right
        edge = self.face.flat(curve(outer, steps=5), z=-2)
        return np.concatenate([edge, self._hairline(end)])

    def _side_end(self) -> float:
        """Return the height at which the hair before the ears ends, head units."""
        if self._hangs:
            return 10.0
        if self.face.picture.outfit.hat != "none":
            return -6.0
        return {"buzz": 0.0, "updo": 0.0, "curly": 8.0}.get(self.face.identity.hair.cut, 6.0)

    def _hairline(self, end: float) -> Points:
        """Return the hair's edge over the forehead, from right to left."""
        traits, width = self.face.identity, self.face.half_width
        rise = 10 * traits.hair.receding
        top = -43 - 3.5 * traits.shape.forehead - 0.6 * rise
        temple = -28 - 2 * traits.shape.forehead - 1.2 * rise
        sweep = (
            (9 if self._hangs else 4) * (1 - traits.hair.receding) * np.sign(traits.hair.parting)
        )
        temple_x, shoulder = (0.80 - 0.1 * traits.hair.receding) * width, 0.4 * temple + 0.6 * top
        points = [
            (0.97 * width, end),
            (0.92 * width, -10.0),
            (temple_x, temple + 0.2 * max(-sweep, 0)),
            (0.52 * width, shoulder + max(-sweep, 0) - 0.5 * rise),
            (0.42 * width * traits.hair.parting, top - 2),
            (-0.52 * width, shoulder + max(sweep, 0) - 0.5 * rise),
            (-temple_x, temple + 0.2 * max(sweep, 0)),
            (-0.92 * width, -10.0),
            (-0.97 * width, end),
        ]
        return curve(self.face.place(points), steps=5)

    def _curtains(self) -> list[Points]:
        """Return long hair beside the face."""
        v, width = self._volume, self.face.half_width
        is_bob = self.face.identity.hair.cut == "bob"
        bottom, flare = (62.0, -3.0) if is_bob else (122.0, 5.0)
        outer = [
            (0.92 * width + 0.5 * v, -38),
            (width + 0.8 * v + 2, 18),
            (width + v + 2 + flare, 0.62 * bottom),
            (width + 0.6 * v + flare, bottom),
        ]
        inner = [
            (0.72 * width, bottom),
            (0.82 * width, 0.68 * bottom),
            (0.93 * width, 24),
            (0.90 * width, -2),
            (0.80 * width, -38),
        ]
        path = np.concatenate([curve(outer), curve(inner)])
        return [self.face.flat(path * (side, 1), z=2) for side in SIDES]

    def _quiff(self) -> Points:
        """Return a swept-up front."""
        v, lean = self._volume, 8 * self.face.identity.hair.parting
        crest = [(-22, -66 - v), (-6 - lean, -70 - 1.35 * v), (16, -67 - 1.15 * v)]
        points = [(-26, -50), *crest, (27, -52), (0, -47)]
        return self.face.flat(curve(points, closed=True), z=8)

    def _tufts(self) -> list[Points]:
        """Return round bunches along the outline."""
        rng = np.random.default_rng(self.face.identity.hair.seed)
        v, width = self._volume, self.face.half_width
        end = 0.25 if self.face.identity.male else -0.25
        angles = np.linspace(end, np.pi - end, 13) + rng.normal(0, 0.05, 13)
        radii = rng.uniform(0.45, 0.75, 13) * v + 4
        x, y = (width + 0.5 * v) * np.cos(angles), -14 - (52 + 0.5 * v) * np.sin(angles)
        bunches = zip(x, y, radii, strict=True)
        return [self.face.flat(ellipse((a, b), r, r), z=-4) for a, b, r in bunches]

    def _wreath(self) -> list[Points]:
        """Return the hair that a bald head keeps above the ears."""
        width = self.face.half_width
        side = [(-5, -20), (0.5, -16), (1.2, -4), (-1.5, 2), (-6, -7)]
        path = moved(curve(side, closed=True), width, 0.0)
        return [self.face.flat(path * (sign, 1)) for sign in SIDES]
