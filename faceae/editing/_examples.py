"""Latents of a dataset's faces with their attributes and persons.

Shapes: N faces, K attributes, Z latent size.
"""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages, open_split, report_batches
from faceae.device import full_float32
from faceae.model import FaceAutoEncoder, to_float
from faceae_shards import Dataset, read_descriptions

MAX_FACES = 20_000
"""Most faces of a split that are encoded: the first ones, which packing has put in random order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Latents of faces, and what is known about the faces."""

    latents: NDArray[np.float32]
    """N x Z."""
    labels: NDArray[np.int8]
    """N x K: 1 yes, -1 no, 0 unknown."""
    persons: tuple[object, ...]
    """N; None: unknown."""
    reader: str
    """Name and version of the library that read the faces."""

    @property
    def labelled(self) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Latents and labels."""
        return self.latents, self.labels

    def take(self, chosen: NDArray[np.bool_]) -> "Examples":
        """Return the faces that a mask of N chooses."""
        return replace(
            self,
            latents=self.latents[chosen],
            labels=self.labels[chosen],
            persons=tuple(self.persons[row] for row in np.flatnonzero(chosen)),
        )

    def take_attributes(self, chosen: NDArray[np.bool_]) -> "Examples":
        """Return the same faces with the attributes that a mask of K chooses."""
        return replace(self, labels=self.labels[:, chosen])


def read_labels(
    dataset: Dataset, split: str, most: int
) -> tuple[NDArray[np.int8], tuple[object, ...]]:
    """Return labels of a dataset's attributes, N x K, and persons, of a split's first images.

    Args:
        most: number of images at most.

    Raises:
        ShardsError: there is no such split, or a shard is damaged.
    """
    names = dataset.attribute_names
    described = list(islice(read_descriptions(dataset, split), most))
    labels = [[_sign(fields.get("attributes"), name) for name in names] for fields in described]
    shape = (len(described), len(names))
    persons = tuple(fields.get("identity") for fields in described)
    return np.array(labels, np.int8).reshape(shape), persons


def read_examples(
    model: FaceAutoEncoder,
    dataset: Dataset,
    split: str,
    *,
    batch_size: int = 256,
    loader: LoaderKind = "auto",
    on_images: OnImages = lambda done, total: None,
) -> Examples:
    """Encode the first 20,000 faces of a split.

    Args:
        model: in evaluation mode, on the device to encode on.
        on_images: receives the number of faces done, and of all faces to encode.

    Raises:
        FaceaeError, ShardsError: there is no such split, or an image cannot be read.
    """
    device = next(model.parameters()).device
    latents: list[NDArray[np.float32]] = []
    size = model.config.image_size
    with open_split(dataset, split, size, device, batch_size=batch_size, loader=loader) as opened:
        for images_NCHW, num_valid in report_batches(opened, on_images, MAX_FACES):
            latents.append(encode(model, images_NCHW[:num_valid]))
        reader = opened.reader
    labels, persons = read_labels(dataset, split, MAX_FACES)
    return Examples(latents=np.concatenate(latents), labels=labels, persons=persons, reader=reader)


def encode(model: FaceAutoEncoder, images_NCHW: torch.Tensor) -> NDArray[np.float32]:
    """Return the latents of faces, N x 3 x S x S uint8, as N x Z float32."""
    with torch.inference_mode(), full_float32():
        z_NZ: NDArray[np.float32] = model.encode(to_float(images_NCHW)).float().cpu().numpy()
    return z_NZ


def _sign(attributes: Any, name: str) -> int:
    value = attributes.get(name) if isinstance(attributes, dict) else None
    if not isinstance(value, int | float):
        return 0
    return 1 if value > 0 else -1  # also for 0 and false, as Parquet files are packed
