"""Reconstruction quality on held-out faces."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from faceae.data import Loader
from faceae.device import full_float32
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, to_float, to_uint8

_NUM_SHOWN = 16
_PEAK_SQUARED = 4.0
"""Square of the largest possible error of a pixel in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Quality of a model on one split."""

    psnr_db: float
    num_images: int
    originals: torch.Tensor
    """The split's first faces, up to 16 x 3 x H x W, uint8, on the CPU."""
    reconstructions: torch.Tensor
    """The same faces as the model gives them back."""


def evaluate(
    model: FaceAutoEncoder,
    loader: Loader,
    device: torch.device,
    after_batch: Callable[[], None] = lambda: None,
    sum_over_ranks: Callable[[Sequence[float]], Sequence[float]] = list,
) -> Evaluation:
    """Measure the model on every face of an evaluation loader, each counted once.

    PSNR is 10 log10(4 / MSE), the mean taken over every pixel and channel of every face, in
    [-1, 1]. It is computed in float32, whatever the training computes in, since that is what a
    saved model is; errors are summed in float64. The model's mode is left as it was.

    Args:
        after_batch: called between batches; what it raises ends the evaluation.
        sum_over_ranks: adds up numbers over the processes that share the split. The pictures
            returned are of this process's share.

    Raises:
        FaceaeError: the model returns numbers that are not finite.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), full_float32():
            return _evaluate(model, loader, device, after_batch, sum_over_ranks)
    finally:
        model.train(was_training)


def _evaluate(
    model: FaceAutoEncoder,
    loader: Loader,
    device: torch.device,
    after_batch: Callable[[], None],
    sum_over_ranks: Callable[[Sequence[float]], Sequence[float]],
) -> Evaluation:
    squared_error = torch.zeros((), dtype=torch.float64, device=device)
    num_images, num_values = 0, 0
    originals: list[torch.Tensor] = []
    reconstructions: list[torch.Tensor] = []
    for batch in loader:
        pixels_NCHW = batch.images[: batch.num_valid]
        images_NCHW = to_float(pixels_NCHW)
        faces_NCHW = model(images_NCHW)
        squared_error += (faces_NCHW - images_NCHW).double().square().sum()
        if num_images < _NUM_SHOWN:
            originals.append(pixels_NCHW.cpu())
            reconstructions.append(to_uint8(faces_NCHW).cpu())
        num_images += batch.num_valid
        num_values += images_NCHW.numel()
        after_batch()
    sums = sum_over_ranks([squared_error.item(), num_values, num_images])
    return Evaluation(
        psnr_db=psnr_db(sums[0] / sums[1]),
        num_images=int(sums[2]),
        originals=torch.cat(originals)[:_NUM_SHOWN],
        reconstructions=torch.cat(reconstructions)[:_NUM_SHOWN],
    )


def psnr_db(mean_squared_error: float) -> float:
    """Return the PSNR of values in [-1, 1], in decibels; infinite for an error of 0.

    Raises:
        FaceaeError: the error is not finite.
    """
    if not math.isfinite(mean_squared_error):
        raise FaceaeError("the model returns numbers that are not finite")
    if mean_squared_error == 0.0:
        return math.inf
    return 10.0 * math.log10(_PEAK_SQUARED / mean_squared_error)
