"""Draw README's picture from a run that was trained on drawn faces.

Run it as `python docs/pictures/draw.py RUN DATA OUT.jpg`. RUN needs `faceae fit`; DATA is the
dataset of RUN, packed from `faceae synth`. Never give it photographs of people: the picture is
part of the repository.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

import faceae
from faceae_shards import fit_image, read_first_images

NUM_FACES = 10
"""Faces in a row."""
SEED = 1
TRUNCATION = 1.1


def draw_rows(run: Path, data: str) -> dict[str, NDArray[np.uint8]]:
    """Return the rows by their titles, each NUM_FACES x S x S x 3 uint8."""
    model = faceae.load(run, device="cpu")
    side = model.image_size
    held_out = read_first_images(faceae.open_dataset(data), "test", NUM_FACES)
    faces = np.stack([fit_image(image, crop=None, size=side) for image in held_out])
    return {
        "held-out faces": faces,
        "reconstructions": model.reconstruct(faces, align=False),
        "new faces": model.generate(NUM_FACES, seed=SEED, truncation=TRUNCATION),
        "a morph": model.morph(faces[0], faces[-1], frames=NUM_FACES, align=False),
    }


def draw(rows: dict[str, NDArray[np.uint8]], out: Path) -> None:
    """Write a picture with one row of faces for each title."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(NUM_FACES + 1.7, len(rows) * 1.04), dpi=100)
    for axis, (title, faces) in zip(axes, rows.items(), strict=True):
        axis.imshow(np.concatenate(list(faces), axis=1), interpolation="bicubic")
        axis.set_axis_off()
        axis.text(-0.01, 0.5, title, ha="right", va="center", fontsize=14, transform=axis.transAxes)
    figure.subplots_adjust(left=0.145, right=0.998, top=0.998, bottom=0.002, hspace=0.04)
    figure.savefig(out, pil_kwargs={"quality": 88})


if __name__ == "__main__":
    draw(draw_rows(Path(sys.argv[1]), sys.argv[2]), Path(sys.argv[3]))
