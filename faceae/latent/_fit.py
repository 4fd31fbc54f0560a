"""Fits a prior to latents in one pass of the encoder over a split."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages, open_split, report_batches
from faceae.device import full_float32
from faceae.model import FaceAutoEncoder, to_float, weights_hash
from faceae_shards import Dataset

from ._fit_flow import fit_flow
from ._fit_mixture import fit_mixture
from ._held_out import OnProgress
from ._moments import LatentMoments
from ._pairs import fit_pairs
from ._prior import Prior, PriorKind


class FittedLatents(NamedTuple):
    """A fitted prior, and the library that read the faces."""

    prior: Prior
    reader: str
    """Name and version of the library, and where it decodes."""


def fit_latents(
    model: FaceAutoEncoder,
    dataset: Dataset,
    *,
    prior: PriorKind = "normal",
    split: str = "train",
    batch_size: int = 256,
    loader: LoaderKind = "auto",
    on_images: OnImages = lambda done, total: None,
    on_fit: OnProgress = lambda done, total: None,
) -> FittedLatents:
    """Encode every face of a split once, and return a prior of the latents.

    Args:
        model: in evaluation mode, on the device to encode on. A flow is trained there, too.
        prior: kind of the prior. All kinds but normal keep all latents in memory.
        loader: library that reads the shards; auto: DALI if it can be imported.
        on_images: receives the number of faces encoded, and of all faces.
        on_fit: receives the number of faces that a mixture or a flow has seen, and the largest
            number that it may see.

    Raises:
        FaceaeError, ShardsError: there is no such split, it has too few faces, an image cannot be
            read, or the latents are not finite.
    """
    device = next(model.parameters()).device
    moments, kept = LatentMoments(model.config.latent_size), []
    size = model.config.image_size
    with open_split(dataset, split, size, device, batch_size=batch_size, loader=loader) as opened:
        for z_NZ in _encode(model, report_batches(opened, on_images)):
            moments.update(z_NZ)
            if prior != "normal":
                kept.append(z_NZ)
    fitted: Prior
    fitted = normal = moments.normal_prior(
        weights_hash=weights_hash(model), dataset_hash=dataset.hash
    )
    if prior == "gmm":
        fitted = fit_mixture(np.concatenate(kept), normal, on_fit)
    elif prior == "flow":
        fitted = fit_flow(np.concatenate(kept), normal, on_fit, device=device)
    elif prior == "pairs":
        fitted = fit_pairs(np.concatenate(kept), normal)
    return FittedLatents(fitted, opened.reader)


def measure_latents(
    model: FaceAutoEncoder, batches: Iterable[tuple[torch.Tensor, int]]
) -> LatentMoments:
    """Return the moments of the latents of every valid face in `batches`.

    Args:
        model: in evaluation mode, on the device of the batches; encodes in float32.
        batches: such as `faceae.data.Batch`, in evaluation order: uint8 faces, N x 3 x S x S, and
            how many of them are not padding.
    """
    moments = LatentMoments(model.config.latent_size)
    for z_NZ in _encode(model, batches):
        moments.update(z_NZ)
    return moments


def _encode(
    model: FaceAutoEncoder, batches: Iterable[tuple[torch.Tensor, int]]
) -> Iterator[NDArray[np.float32]]:
    for images_NCHW, num_valid in batches:
        with torch.inference_mode(), full_float32():
            z_NZ = model.encode(to_float(images_NCHW[:num_valid]))
        yield z_NZ.cpu().numpy()
