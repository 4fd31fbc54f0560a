"""Fits the distribution of latents in one pass of the encoder over a split."""

from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

import torch

from faceae.data import LoaderConfig, LoaderKind, OnImages, make_loader, report_batches
from faceae.device import count_decode_threads, full_float32
from faceae.model import FaceAutoEncoder, to_float, weights_hash
from faceae_shards import Dataset

from ._distribution import LatentDistribution
from ._moments import LatentMoments


class FittedLatents(NamedTuple):
    """A fitted distribution, and the library that read the faces."""

    distribution: LatentDistribution
    reader: str
    """Name and version of the library, and where it decodes."""


def fit_latents(
    model: FaceAutoEncoder,
    dataset: Dataset,
    *,
    split: str = "train",
    batch_size: int = 256,
    loader: LoaderKind = "auto",
    on_images: OnImages = lambda done, total: None,
) -> FittedLatents:
    """Encode every face of a split once, and return the distribution of the latents.

    Args:
        model: in evaluation mode, on the device to encode on.
        loader: library that reads the shards; auto: DALI if it can be imported.
        on_images: receives the number of faces done, and of all faces.

    Raises:
        FaceaeError, ShardsError: there is no such split, it has fewer than two faces, an image
            cannot be read, or the latents are not finite.
    """
    device = next(model.parameters()).device
    config = LoaderConfig(
        split=split,
        batch_size=batch_size,
        image_size=model.config.image_size,
        training=False,
        num_threads=count_decode_threads(),
    )
    with closing(make_loader(loader, dataset, config, device)) as opened:
        moments = measure_latents(model, report_batches(opened, on_images))
    distribution = moments.distribution(weights_hash=weights_hash(model), dataset_hash=dataset.hash)
    return FittedLatents(distribution, opened.reader)


@torch.inference_mode()
@full_float32()
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
    for images_NCHW, num_valid in batches:
        z_NZ = model.encode(to_float(images_NCHW[:num_valid]))
        moments.update(z_NZ.cpu().numpy())
    return moments
