"""The faces that `faceae edit` changes: read or drawn, edited, and pasted into photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceae.framing import Framing, frame_face
from faceae.pictures import read_photograph
from faceae_shards.faces import Similarity

from ._photographs import note_other_faces

if TYPE_CHECKING:
    from faceae.api import FaceModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """The faces to edit."""

    names: list[str]
    latents: NDArray[np.float32]
    """N x Z."""
    pixels: NDArray[np.uint8] | None
    """N x S x S x 3; None: they were drawn."""
    places: Sequence[Similarity] = ()
    """From pixels of each face to those of its photograph."""


def draw_faces(model: "FaceModel", seed: int, numbers: Sequence[int]) -> Faces:
    """Return new faces of a seed, by their numbers."""
    latents = [model.draw_latents(1, seed=seed, start=number) for number in numbers]
    names = [f"{number:06}" for number in numbers]
    return Faces(names=names, latents=np.concatenate(latents), pixels=None)


def read_faces(model: "FaceModel", files: Sequence[Path], framing: Framing) -> Faces:
    """Return the largest face of each photograph, with a note where it shows several."""
    framed = []
    for path in files:
        image_HWC = read_photograph(path)
        framed.append(frame_face(image_HWC, model.image_size, framing, name=str(path)))
        note_other_faces(path, image_HWC, model.image_size, framing)
    pixels = np.stack([face.pixels for face in framed])
    return Faces(
        names=[path.stem for path in files],
        latents=model.encode(pixels),
        pixels=pixels,
        places=[face.to_photograph for face in framed],
    )


def edit_faces(
    model: "FaceModel", faces: Faces, changes_FZ: NDArray[np.float32], residual: bool
) -> NDArray[np.uint8]:
    """Return the edited faces, N x F x S x S x 3."""
    from faceae.editing import add_residual

    frames = [model.decode(faces.latents + change_Z) for change_Z in changes_FZ]
    if residual and faces.pixels is not None:
        unedited = model.decode(faces.latents)
        frames = [add_residual(edited, faces.pixels, unedited) for edited in frames]
    return np.stack(frames, axis=1)


def paste_all(
    model: "FaceModel",
    faces: Faces,
    files: Sequence[Path],
    change_Z: NDArray[np.float32],
    residual: bool,
) -> tuple[list[NDArray[np.uint8]], str]:
    """Return the photographs with their edited faces, and a line about their resolution."""
    from faceae.editing import paste_edit

    edited = model.decode(faces.latents + change_Z)
    unedited = list(model.decode(faces.latents)) if residual else [None] * len(files)
    pasted = [
        paste_edit(read_photograph(path), face, before, to_photograph=place)
        for path, face, before, place in zip(files, edited, unedited, faces.places, strict=True)
    ]
    low, high = (find(each.scale for each in pasted) for find in (min, max))
    times = f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"
    size, hint = model.image_size, "; --residual keeps the photograph's detail"
    note = f"pasted at the model's resolution, {size}x{size} pixels, scaled {times} times"
    return [each.image for each in pasted], note + ("" if residual else hint)
