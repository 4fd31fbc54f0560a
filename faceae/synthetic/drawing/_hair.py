"""Draws the hair of the head: strands and light on the shapes of a haircut."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..canvas import (
    HEIGHT,
    NUM_STRAND_VARIANTS,
    WIDTH,
    Canvas,
    Flow,
    Pixels,
    Shapes,
    Window,
    smooth,
    strands,
)
from ..face import Face, Haircut, Light, dome, enlarge, hair_flow, shrink
from ..traits import PLAIN_HAIR_LIGHT, hair_colour, hair_ramp, through_ramp

_SHINE: dict[Flow, float] = {"curly": 0.15, "cropped": 0.35, "wavy": 0.5, "straight": 0.55}


@dataclass(frozen=True)
class _Layer:
    """Hair of one direction: its part of the picture, and its mask and strands there."""

    window: Window
    mask: Pixels
    lines: Pixels
    shine: float


@dataclass(frozen=True)
class HairPlan:
    """The layers of a person's hair."""

    back: list[_Layer]
    """Hair behind neck and shoulders."""
    front: list[_Layer]
    """Hair over the head, then over the forehead."""

    @cached_property
    def over_face(self) -> Pixels:
        """Return the mask of all hair that can cast a shadow on the face, H x W."""
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        for layer in self.front:
            np.maximum(mask[layer.window], layer.mask, out=mask[layer.window])
        return mask


def plan_hair(canvas: Canvas, face: Face) -> HairPlan:
    """Return where the hair lies."""
    cut, flow = Haircut(face), hair_flow(face.identity)
    rough = flow == "curly"
    soft, fray = (1.6, 0.34) if rough else (1.0, 0.24)
    return HairPlan(
        back=_layer(canvas, face, cut.back(), flow, soft, 0.22),
        front=_layer(canvas, face, cut.front(), flow, soft, fray)
        + _layer(canvas, face, cut.fringe(), "fringe", 0.8, 0.3),
    )


def draw_back_hair(canvas: Canvas, face: Face, hair: HairPlan) -> None:
    """Paint the hair behind the neck, in the head's shadow."""
    for layer in hair.back:
        _lay(canvas, face, 0.5 + 0.12 * layer.lines, layer)


def draw_hair(canvas: Canvas, face: Face, light: Light, hair: HairPlan) -> None:
    """Paint the hair over the head."""
    if not hair.front:
        return
    rounded = 7 * smooth(shrink(hair.over_face), 3.5)
    lit, gloss = light.on_relief(dome(face, 0.0, 60, 88) + rounded)
    base, gloss = enlarge(0.12 + 0.78 * lit), enlarge(gloss)
    for layer in hair.front:
        glow = gloss[layer.window] * np.maximum(1 + 0.55 * layer.lines, 0)
        _lay(canvas, face, base[layer.window] + 0.15 * layer.lines + layer.shine * glow, layer)


def _layer(
    canvas: Canvas, face: Face, shapes: Shapes, flow: Flow, blur: float, fray: float
) -> list[_Layer]:
    """Return the shapes as a layer whose strands stick out at its soft edge; none if empty."""
    found = canvas.cover(shapes, blur=blur)
    if found is None:
        return []
    window, mask = found
    x, y = face.flat([(0.0, -10.0)])[0]
    centre = (float(x + 6 * face.identity.hair.parting), float(y))
    lines = strands(flow, face.identity.hair.seed % NUM_STRAND_VARIANTS, centre)[window]
    frayed = np.clip(2.4 * mask - 0.7 + fray * lines, 0, 1) * np.minimum(4 * mask, 1)
    thin = 0.8 if face.identity.hair.cut in ("buzz", "bald") else 1.0
    mask = np.asarray(thin * frayed, np.float32)
    return [_Layer(window, mask, lines, _SHINE.get(flow, 0.55))]


def _lay(canvas: Canvas, face: Face, lit: Pixels, layer: _Layer) -> None:
    colour = through_ramp(PLAIN_HAIR_LIGHT * lit, hair_ramp(hair_colour(face.identity)))
    part = canvas.pixels[layer.window]
    part[...] = cv2.blendLinear(colour, part, layer.mask, 1 - layer.mask)
