"""The faces of a split that are most like given ones.

Shapes: Q given faces, K neighbours, S image size, Z latent size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder
from faceae_shards import Dataset, read_descriptions

from ._faces import encode_split, take_faces
from ._likeness import LikenessSpace
from ._nearest import find_nearest


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig:
    """Options of a search for alike faces."""

    k: int = 8
    """Faces to find for each given one."""
    split: str = "train"
    """Split of the dataset to search."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The most alike faces of each given face, most alike first."""

    names: list[list[str]]
    """Q x K; the files in the dataset's source."""
    distances: NDArray[np.float64]
    """Q x K; 0: alike in everything. 1: not alike at all, as two random faces are. 2: opposites."""
    rows: NDArray[np.int64]
    """Q x K; positions in the split."""
    pictures: NDArray[np.uint8]
    """Q x K x S x S x 3, RGB."""
    num_searched: int
    """Faces of the split."""
    reader: str
    """Name and version of the library that read the faces."""


def find_neighbours(
    model: FaceAutoEncoder,
    dataset: Dataset,
    latents: NDArray[np.float32],
    config: NeighboursConfig | None = None,
    on_images: OnImages = lambda done, total: None,
) -> Neighbours:
    """Find the faces of a split that are most like given ones, by an exact search.

    The distance is 1 less the cosine in `LikenessSpace`, fitted to the split.

    Args:
        model: in evaluation mode, on the device to encode on.
        latents: of the given faces, Q x Z.
        on_images: receives the number of faces encoded, and of all faces.

    Raises:
        FaceaeError, ShardsError: there is no such split, it has fewer than K faces, or an image
            cannot be read.
    """
    config = config or NeighboursConfig()
    num_faces = dataset.num_samples(config.split)
    if not 1 <= config.k <= num_faces:
        raise FaceaeError(
            f"`k` must be 1 to {num_faces:,}, the faces of the split {config.split}, got {config.k}"
        )
    encoded = encode_split(model, dataset, config.split, config.loader, on_images)
    space = LikenessSpace(encoded.latents)
    near = find_nearest(space.extract(latents), space.extract(encoded.latents), config.k)
    rows_QK = near.rows.numpy()
    size = model.config.image_size
    pictures = take_faces(dataset, config.split, rows_QK.reshape(-1), size, config.loader)
    return Neighbours(
        names=_read_names(dataset, config.split, rows_QK),
        distances=near.distances.numpy() ** 2 / 2,
        rows=rows_QK,
        pictures=pictures.reshape(*rows_QK.shape, size, size, 3),
        num_searched=num_faces,
        reader=encoded.reader,
    )


def _read_names(dataset: Dataset, split: str, rows_QK: NDArray[np.int64]) -> list[list[str]]:
    wanted = set(rows_QK.reshape(-1).tolist())
    names = {
        row: str(fields.get("name", f"number {row}"))
        for row, fields in enumerate(read_descriptions(dataset, split))
        if row in wanted
    }
    return [[names[row] for row in rows_K] for rows_K in rows_QK.tolist()]
