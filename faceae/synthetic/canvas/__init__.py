"""The drawing surface: curves, filled shapes, blending and textures. Knows nothing of faces."""

from ._canvas import HEIGHT, WIDTH, Canvas, Pixels, Shapes, Window, blend, smooth
from ._curves import Points, curve, ellipse, moved, ribbon, taper
from ._textures import NUM_STRAND_VARIANTS, Flow, clouds, sensor_noise, speckle, strands, stubble

__all__ = [
    "HEIGHT",
    "NUM_STRAND_VARIANTS",
    "WIDTH",
    "Canvas",
    "Flow",
    "Pixels",
    "Points",
    "Shapes",
    "Window",
    "blend",
    "clouds",
    "curve",
    "ellipse",
    "moved",
    "ribbon",
    "sensor_noise",
    "smooth",
    "speckle",
    "strands",
    "stubble",
    "taper",
]
