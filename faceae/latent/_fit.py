"""Fits a prior to latents in one pass of the encoder over a split, by one process or several."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind, OnImages, open_split, report_batches
from faceae.device import full_float32
from faceae.distributed import open_ranks
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


class _Encoded(NamedTuple):
    """The latents of the faces that one process has encoded."""

    moments: LatentMoments
    latents_NZ: NDArray[np.float32] | None
    """In reading order, where the prior needs them; otherwise only the moments are kept."""
    reader: str


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
) -> FittedLatents | None:
    """Encode every face of a split once, and return a prior of the latents.

    If a launcher such as torchrun has started several processes, all of them must call this. Each
    encodes a share of the faces. The first process fits the prior and raises the errors that all
    have; the others return None.

    Args:
        model: in evaluation mode, on the device to encode on. A flow is trained there, too.
        prior: kind of the prior. All kinds but normal keep all latents in memory.
        batch_size: faces that a process encodes at once.
        loader: library that reads the shards; auto: DALI if it can be imported.
        on_images: receives the number of faces encoded, and of all faces. In several processes the
            first one counts for all of them.
        on_fit: receives the number of faces that a mixture or a flow has seen, and the largest
            number that it may see.

    Raises:
        FaceaeError, ShardsError: there is no such split, it has too few faces, an image cannot be
            read, the latents are not finite, or another process has ended.
    """

    def encode() -> _Encoded:
        moments, kept = LatentMoments(model.config.latent_size), []
        with open_split(
            dataset,
            split,
            model.config.image_size,
            next(model.parameters()).device,
            batch_size=batch_size,
            loader=loader,
            rank=ranks.rank,
            world_size=ranks.world_size,
        ) as opened:
            for z_NZ in _encode(model, report_batches(opened, count)):
                moments.update(z_NZ)
                if prior != "normal":
                    kept.append(z_NZ)
        return _Encoded(moments, np.concatenate(kept) if kept else None, opened.reader)

    def count(done: int, total: int) -> None:
        on_images(min(done * ranks.world_size, total), total)

    with open_ranks() as ranks:
        parts = ranks.gather_on_first(ranks.run_on_all(encode))
    return _fit(model, dataset, parts, prior, on_fit) if ranks.is_first else None


def _fit(
    model: FaceAutoEncoder,
    dataset: Dataset,
    parts: Sequence[_Encoded],
    prior: PriorKind,
    on_fit: OnProgress,
) -> FittedLatents:
    moments = LatentMoments(model.config.latent_size)
    for part in parts:
        moments.merge(part.moments)
    fitted: Prior
    fitted = normal = moments.normal_prior(
        weights_hash=weights_hash(model), dataset_hash=dataset.hash
    )
    if prior != "normal":
        z_NZ = np.concatenate([part.latents_NZ for part in parts if part.latents_NZ is not None])
        if prior == "gmm":
            fitted = fit_mixture(z_NZ, normal, on_fit)
        elif prior == "flow":
            fitted = fit_flow(z_NZ, normal, on_fit, device=next(model.parameters()).device)
        else:
            fitted = fit_pairs(z_NZ, normal)
    return FittedLatents(fitted, parts[0].reader)


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
