"""Latents, names and pixels of the faces of a split.

Shapes: N faces, S image size, Z latent size.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages, open_split, report_batches
from faceae.device import full_float32
from faceae.model import FaceAutoEncoder, to_float
from faceae_shards import Dataset

_BATCH = 256


class EncodedSplit(NamedTuple):
    """The latents of all faces of a split."""

    latents: NDArray[np.float32]
    """N x Z, in stored order."""
    reader: str
    """Name and version of the library that read the faces."""


def encode_split(
    model: FaceAutoEncoder,
    dataset: Dataset,
    split: str,
    loader: LoaderKind,
    on_images: OnImages = lambda done, total: None,
) -> EncodedSplit:
    """Encode every face of a split.

    Args:
        model: in evaluation mode, on the device to encode on.
        on_images: receives the number of faces done, and of all faces.

    Raises:
        FaceaeError, ShardsError: there is no such split, or an image cannot be read.
    """
    device = next(model.parameters()).device
    latents = []
    size = model.config.image_size
    with open_split(dataset, split, size, device, batch_size=_BATCH, loader=loader) as opened:
        for images_NCHW, num_valid in report_batches(opened, on_images):
            with torch.inference_mode(), full_float32():
                z_NZ = model.encode(to_float(images_NCHW[:num_valid]))
            latents.append(z_NZ.float().cpu().numpy())
        return EncodedSplit(np.concatenate(latents), opened.reader)


def take_faces(
    dataset: Dataset,
    split: str,
    rows: NDArray[np.integer],
    image_size: int,
    loader: LoaderKind = "auto",
) -> NDArray[np.uint8]:
    """Return some faces of a split, N x S x S x 3 uint8, RGB.

    Args:
        rows: their positions in the split, N, in any order, also several times.

    Raises:
        FaceaeError, ShardsError: there is no such split, or an image cannot be read.
    """
    wanted = np.unique(rows)
    found = np.empty((len(wanted), image_size, image_size, 3), np.uint8)
    first = 0
    cpu = torch.device("cpu")
    with open_split(dataset, split, image_size, cpu, batch_size=_BATCH, loader=loader) as opened:
        for images_NCHW, num_valid in opened:
            start, stop = np.searchsorted(wanted, [first, first + num_valid])
            chosen = images_NCHW[torch.from_numpy(wanted[start:stop] - first)]
            found[start:stop] = chosen.permute(0, 2, 3, 1).numpy()
            first += num_valid
            if stop == len(wanted):
                break
    return found[np.searchsorted(wanted, rows)]
