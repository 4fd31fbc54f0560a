"""Faces of a split with what is known about them, and their reconstructions.

Shapes: N faces, S image size, K attributes, Z latent size.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages, open_split, report_batches
from faceae.device import full_float32
from faceae.editing import read_labels
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, to_float, to_uint8
from faceae_shards import Dataset

_BATCH = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """Faces of a split."""

    photographs: torch.Tensor
    """N x 3 x S x S uint8, on the CPU."""
    reconstructions: torch.Tensor
    """N x 3 x S x S uint8, on the CPU."""
    latents: torch.Tensor
    """N x Z float32, on the CPU."""
    labels: NDArray[np.int8]
    """N x K: 1 yes, -1 no, 0 unknown."""
    persons: tuple[object, ...]
    """N; None: unknown."""


def read_faces(
    model: FaceAutoEncoder,
    dataset: Dataset,
    split: str,
    most: int,
    *,
    loader: LoaderKind,
    on_images: OnImages,
) -> Faces:
    """Read and reconstruct the first faces of a split.

    Args:
        model: in evaluation mode, on the device to compute on.
        most: number of faces at most.

    Raises:
        FaceaeError, ShardsError: there is no such split, or an image cannot be read.
    """
    device = next(model.parameters()).device
    photographs: list[torch.Tensor] = []
    latents: list[torch.Tensor] = []
    reconstructions: list[torch.Tensor] = []
    size = model.config.image_size
    with open_split(dataset, split, size, device, batch_size=_BATCH, loader=loader) as opened:
        for padded_NCHW, num_valid in report_batches(opened, on_images, most):
            images_NCHW = padded_NCHW[:num_valid].contiguous()
            with torch.inference_mode(), full_float32():
                z_NZ = model.encode(to_float(images_NCHW))
            photographs.append(images_NCHW.cpu().clone())
            latents.append(z_NZ.cpu())
            reconstructions.append(decode(model, z_NZ))
    labels, persons = read_labels(dataset, split, most)
    return Faces(
        photographs=torch.cat(photographs),
        reconstructions=torch.cat(reconstructions),
        latents=torch.cat(latents),
        labels=labels,
        persons=persons,
    )


def decode(model: FaceAutoEncoder, latents: torch.Tensor) -> torch.Tensor:
    """Return the faces of latents, N x Z on any device, as N x 3 x S x S uint8 on the CPU.

    Raises:
        FaceaeError: a pixel is not finite.
    """
    device = next(model.parameters()).device
    parts = []
    with torch.inference_mode(), full_float32():
        for start in range(0, len(latents), _BATCH):
            faces_NCHW = model.decode(latents[start : start + _BATCH].to(device))
            if not torch.isfinite(faces_NCHW).all():
                raise FaceaeError("the model draws pixels that are not finite; train it again")
            parts.append(to_uint8(faces_NCHW).cpu())
    return torch.cat(parts)
