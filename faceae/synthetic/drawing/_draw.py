"""Draws a whole picture: layers from back to front, then the camera's effects."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..canvas import Canvas, Pixels, sensor_noise, smooth, stubble
from ..face import Face, Light
from ..traits import Identity, Picture
from ._background import draw_background
from ._beard import draw_beard
from ._clothes import draw_clothes, draw_necklace
from ._eyes import draw_brows, draw_eyes
from ._hair import draw_back_hair, draw_hair, plan_hair
from ._hat import draw_hat
from ._head import draw_skin
from ._mouth import draw_mouth
from ._things import draw_earrings, draw_glasses


def draw_face(identity: Identity, picture: Picture) -> NDArray[np.uint8]:
    """Return a drawn portrait, 218 x 178 x 3, uint8, RGB."""
    return paint(Face(identity, picture))


def paint(face: Face) -> NDArray[np.uint8]:
    """Return the portrait of a face, 218 x 178 x 3, uint8, RGB."""
    picture, light = face.picture, Light(face)
    # Two random sources, so that a worn thing changes nothing else.
    rng, things_rng = (np.random.default_rng([picture.seed, stream]) for stream in range(2))
    canvas = Canvas(draw_background(picture.background, rng))
    hair = plan_hair(canvas, face)
    face_mask = canvas.mask(face.outline, blur=0.4)
    draw_back_hair(canvas, face, hair)
    draw_skin(canvas, face, light, face_mask, hair.over_face, rng)
    if picture.outfit.necklace:
        draw_necklace(canvas, face, things_rng)
    draw_clothes(canvas, face, light, rng)
    flecks = stubble(rng)
    draw_beard(canvas, face, flecks, face_mask)
    draw_mouth(canvas, face)
    draw_eyes(canvas, face)
    draw_brows(canvas, face, flecks, face_mask)
    draw_hair(canvas, face, light, hair)
    if picture.outfit.earrings:
        draw_earrings(canvas, face, things_rng)
    draw_glasses(canvas, face, things_rng)
    draw_hat(canvas, face, light, things_rng)
    return _expose(canvas.pixels, picture, rng)


def _expose(pixels: Pixels, picture: Picture, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture with the camera's blur, contrast, colour cast and noise."""
    if picture.camera.blur > 0.25:
        pixels = smooth(pixels, picture.camera.blur)
    noisy = np.maximum(pixels + np.float32(picture.camera.noise) * sensor_noise(rng), 0)
    gain = np.asarray(picture.camera.cast) * picture.camera.exposure * picture.camera.contrast
    levels = np.arange(256)[:, None] * gain + 118 * (1 - picture.camera.contrast)
    ramp = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.convertScaleAbs(noisy), ramp[None]))
