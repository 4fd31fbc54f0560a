"""Cuts photographs to faces, framed as the faces that a model was trained on.

Shapes: H and W pixels of a photograph, S side of a face.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.pictures import read_photograph
from faceae_shards import ShardsError, fit_image
from faceae_shards.faces import (
    ALIGNED_WIDTH,
    Place,
    Similarity,
    align_face,
    find_faces,
    frame_at,
    is_aligned_size,
    locate_aligned,
    locate_at,
    locate_centre,
)

_REMEDY = "pass `align=False` if it is framed like the model's training images"


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How photographs are cut to faces."""

    crop: int | None = None
    """Side in pixels of the centre square that the model's training images were cut to."""
    align: bool = True
    """Find the face. False: a photograph is taken as already framed, whatever its size."""
    place: Place | None = None
    """Where a found face goes, upright. None: as CelebA aligns it."""

    def __str__(self) -> str:
        """Say in a few words how photographs are framed."""
        if self.align and self.place is not None:
            return "upright, with eyes and mouth where the unaligned training faces have them"
        if self.align and (self.crop or 0) <= ALIGNED_WIDTH:
            return "aligned as in CelebA"
        kept = "the whole picture" if self.crop is None else f"the centre square of {self.crop}"
        return f"not aligned, {kept}{' pixels' if self.crop else ''}"

    def is_framed(self, image_HWC: NDArray[np.uint8]) -> bool:
        """Return whether a picture is no photograph to find a face in, by its size."""
        if image_HWC.shape[:2] == (self.crop, self.crop) or not self.align:
            return True
        if self.place is not None:
            return False
        return is_aligned_size(image_HWC) or (self.crop or 0) > ALIGNED_WIDTH


def choose_framing(
    *,
    crop: int | None,
    aligned: bool | None,
    place: Place | None,
    asked_crop: int | None = None,
    asked_align: bool | None = None,
) -> Framing:
    """Return how to frame photographs for a model.

    Args:
        crop: side of the centre square that the model's training images were cut to.
        aligned: whether they were aligned as CelebA's. None: unknown, which counts as aligned.
        place: where faces lie in training images that were not aligned. None: it was not measured.
        asked_crop: a crop in place of that of the training images; 0: none.
        asked_align: True: as CelebA's, False: not at all, None: as the training images.
    """
    kept = crop if asked_crop is None else asked_crop or None
    if asked_align is not None or aligned is not False:
        return Framing(crop=kept, align=asked_align is not False)
    if place is None or asked_crop is not None:
        return Framing(crop=kept, align=False)
    return Framing(crop=kept, place=place)


@dataclass(frozen=True, kw_only=True, eq=False)
class FramedFace:
    """A face that was cut out of a photograph."""

    pixels: NDArray[np.uint8]
    """S x S x 3, RGB."""
    to_photograph: Similarity
    """From pixels of the face to those of the photograph."""


def read_face(path: Path, image_size: int, framing: Framing | None = None) -> NDArray[np.uint8]:
    """Read a photograph as `faceae shard` would, into image_size x image_size x 3 uint8, RGB.

    It is turned upright and then framed by `frame_face`.

    Raises:
        FaceaeError: naming the file: not a picture, damaged, or as `frame_face`.
        OSError: it cannot be read.
    """
    return frame_face(read_photograph(path), image_size, framing, name=str(path)).pixels


def frame_face(
    image_HWC: NDArray[np.uint8],
    image_size: int,
    framing: Framing | None = None,
    *,
    name: str = "the image",
) -> FramedFace:
    """Cut out the face of a photograph, S = image_size.

    The largest face of a photograph of any size is aligned as `faceae shard` does with
    `align=True`, or put to `framing.place`. A picture of 178x218 pixels, as CelebA's aligned ones,
    or of `crop` x `crop`, is already framed: it is cut to the centre square of `crop` pixels, if
    that is given, and scaled. One of the result's size is returned as it is. A `crop` above 178
    belongs to no aligned faces, so nothing is aligned. Where faces have a place, 178x218 pixels are
    a size like any other.

    Args:
        image_HWC: H x W x 3 uint8, RGB.
        framing: None: aligned as CelebA's, without a crop.
        name: for messages.

    Raises:
        FaceaeError: no face is found, the detector is not installed, or the picture is smaller than
            `crop`.
    """
    framing = framing or Framing()
    height, width, _ = image_HWC.shape
    if (height, width) == (image_size, image_size):
        to_photograph = locate_centre(height, width, crop=None, size=image_size)
        return FramedFace(pixels=image_HWC, to_photograph=to_photograph)
    if not framing.is_framed(image_HWC):
        return _frame_largest(image_HWC, image_size, framing, name)
    crop = framing.crop
    if crop is not None and min(height, width) < crop:
        raise FaceaeError(
            f"{name}: {width}x{height} pixels, less than the centre square of {crop} to keep; "
            "give a larger photograph or a smaller `crop`"
        )
    return FramedFace(
        pixels=fit_image(image_HWC, crop, image_size),
        to_photograph=locate_centre(height, width, crop=crop, size=image_size),
    )


def _frame_largest(
    image_HWC: NDArray[np.uint8], size: int, framing: Framing, name: str
) -> FramedFace:
    height, width, _ = image_HWC.shape
    try:
        faces = find_faces(image_HWC)
    except ShardsError as error:
        raise FaceaeError(f"{name}: {width}x{height} pixels: {error}; or {_REMEDY}") from error
    if not faces:
        raise FaceaeError(f"{name}: no face found; give another photograph, or {_REMEDY}")
    landmarks, place, crop = faces[0].landmarks, framing.place, framing.crop
    if place is not None:
        return FramedFace(
            pixels=frame_at(image_HWC, landmarks, place, size),
            to_photograph=locate_at(landmarks, place, size),
        )
    return FramedFace(
        pixels=align_face(image_HWC, landmarks, crop=crop, size=size),
        to_photograph=locate_aligned(landmarks, crop=crop, size=size),
    )
