"""Soft, anti-aliased shapes painted on float pixels.

OpenCV draws anti-aliased polygons with sub-pixel corners, but only opaque ones on 8-bit pictures.
Shapes are therefore drawn as masks of their own size, blurred if they are soft, and blended in.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._curves import Points, ribbon

Pixels: TypeAlias = NDArray[np.float32]
"""H x W or H x W x 3 (RGB), float32; colours in [0, 255], masks in [0, 1]."""
Shapes: TypeAlias = Points | Sequence[Points]
"""One closed polygon, N x 2, or several that are painted as one, K x N x 2 or a list."""

HEIGHT, WIDTH = 218, 178
"""CelebA's aligned pictures, in pixels."""

_SHIFT = 4
"""Fractional bits of the corners passed to OpenCV."""
_UNIT = 1 << _SHIFT

Window: TypeAlias = tuple[slice, slice]
"""Rows and columns of a canvas."""
_Fixed: TypeAlias = NDArray[np.int32]


class Canvas:
    """Pixels to paint on, in picture coordinates.

    `origin` is the picture position of the first pixel's corner. `scale` is the number of canvas
    pixels for each picture pixel, so that a magnified part is drawn with the same coordinates.
    """

    def __init__(
        self, pixels: Pixels, *, origin: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
    ) -> None:
        self.pixels = pixels
        self._scale = scale
        self._factor = scale * _UNIT
        # A pixel's centre lies half a pixel from its corner, and OpenCV counts from centres.
        self._shift = -np.asarray(origin, np.float64) * self._factor - (_UNIT - 1) / 2

    def fill(
        self,
        shapes: Shapes,
        colour: ArrayLike,
        *,
        alpha: float = 1.0,
        blur: float = 0.0,
        clip: Pixels | None = None,
    ) -> None:
        """Blend `colour` over the inside of `shapes`, their edges softened by `blur` pixels.

        `clip` is a mask of the canvas's size; the paint stays inside it.
        """
        found = self._cover(shapes, blur, alpha, clip)
        if found is not None:
            window, mask = found
            blend(self.pixels[window], colour, mask)

    def add(
        self, shapes: Shapes, amount: float, *, blur: float = 0.0, clip: Pixels | None = None
    ) -> None:
        """Add `amount` to the pixels inside `shapes`: shading on a one-channel canvas."""
        found = self._cover(shapes, blur, amount, clip)
        if found is not None:
            window, mask = found
            self.pixels[window] += mask

    def stroke(
        self,
        paths: Points,
        colour: ArrayLike,
        widths: ArrayLike,
        *,
        alpha: float = 1.0,
        blur: float = 0.0,
        clip: Pixels | None = None,
    ) -> None:
        """Blend lines along `paths`, N x 2 or K x N x 2; `widths` is one or N, in pixels."""
        self.fill(ribbon(paths, widths), colour, alpha=alpha, blur=blur, clip=clip)

    @contextmanager
    def zoom(self, points: Points, factor: int, *, margin: float = 3.0) -> Iterator["Canvas"]:
        """Yield the part around `points` magnified, then scale it back: finer anti-aliasing."""
        low = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
        high = np.ceil(points.max(axis=0) + margin).astype(int)
        part = self.pixels[low[1] : high[1], low[0] : high[0]]
        size = part.shape[1], part.shape[0]
        large = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        zoomed = Canvas(
            np.asarray(large, np.float32), origin=(float(low[0]), float(low[1])), scale=factor
        )
        yield zoomed
        part[...] = cv2.resize(zoomed.pixels, size, interpolation=cv2.INTER_AREA)

    def cover(self, shapes: Shapes, *, blur: float = 0.0) -> tuple[Window, Pixels] | None:
        """Return the part of the canvas that `shapes` reach, and the mask of their union there.

        None when they lie outside.
        """
        return self._cover(shapes, blur, 1.0, None)

    def mask(self, shapes: Shapes, *, blur: float = 0.0) -> Pixels:
        """Return the union of `shapes` as a mask of the canvas's size."""
        whole = np.zeros(self.pixels.shape[:2], np.float32)
        found = self.cover(shapes, blur=blur)
        if found is not None:
            window, mask = found
            whole[window] = mask
        return whole

    def _cover(
        self, shapes: Shapes, blur: float, amount: float, clip: Pixels | None
    ) -> tuple[Window, Pixels] | None:
        """Return `cover` multiplied by `amount` and limited to `clip`."""
        polygons = _listed(shapes)
        if not polygons:
            return None
        fixed = self._fixed(polygons)
        sigma = blur * self._scale
        window = self._window(fixed, sigma)
        if window is None:
            return None
        mask = _draw(fixed, [len(polygon) for polygon in polygons], window).astype(np.float32)
        if sigma > 0:
            mask = smooth(mask, sigma)
        mask *= amount / 255
        if clip is not None:
            mask *= clip[window]
        return window, mask

    def _fixed(self, polygons: Sequence[Points]) -> _Fixed:
        """Return all corners as OpenCV's fixed-point numbers."""
        corners = polygons[0] if len(polygons) == 1 else np.concatenate(polygons)
        return (corners * self._factor + self._shift).astype(np.int32)

    def _window(self, fixed: _Fixed, sigma: float) -> Window | None:
        """Return the part of the canvas that shapes reach, their soft edges included."""
        margin = int((2.5 * sigma + 2) * _UNIT)
        x, y, width, height = cv2.boundingRect(fixed)
        left, top = max(x - margin, 0) >> _SHIFT, max(y - margin, 0) >> _SHIFT
        right = min((x + width + margin) >> _SHIFT, self.pixels.shape[1])
        bottom = min((y + height + margin) >> _SHIFT, self.pixels.shape[0])
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)


def blend(pixels: Pixels, colour: ArrayLike, mask: Pixels) -> None:
    """Blend `colour` (one, or one per pixel) into `pixels` (H x W x 3) by `mask` in [0, 1]."""
    paint = np.asarray(colour, np.float32)
    if paint.ndim == 1:
        paint = np.array((*paint.tolist(), 0.0))  # OpenCV's colours have four channels
    # NumPy is slow along an axis of three channels; OpenCV is not.
    change = np.asarray(cv2.subtract(paint, pixels), np.float32)
    change *= np.asarray(cv2.merge((mask, mask, mask)), np.float32)
    pixels += change


def _listed(shapes: Shapes) -> Sequence[Points]:
    return [shapes] if isinstance(shapes, np.ndarray) and shapes.ndim == 2 else list(shapes)


def _draw(fixed: _Fixed, lengths: Sequence[int], window: Window) -> NDArray[np.uint8]:
    """Return the union of polygons, whose corners lie one after another in `fixed`, in `window`."""
    rows, columns = window
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    offset = (-columns.start * _UNIT, -rows.start * _UNIT)
    first = 0
    for length in lengths:
        polygon = fixed[first : first + length]
        cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, _SHIFT, offset)
        first += length
    return mask


def smooth(pixels: Pixels, sigma: float) -> Pixels:
    """Return `pixels` under a Gaussian blur; `sigma` is its standard deviation in pixels."""
    # Cut at 2.5 standard deviations: OpenCV's default for floats, 4, takes half as long again.
    side = 2 * int(2.5 * sigma + 0.99) + 1
    return np.asarray(cv2.GaussianBlur(pixels, (side, side), sigma), np.float32)
