"""Reconstruction quality on held-out faces after each epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from faceae.data import Loader
from faceae.device import full_float32
from faceae.model import FaceAutoEncoder, psnr_db, to_float, to_uint8

_NUM_SHOWN = 16


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Quality of a model on one split."""

    psnr_db: float
    num_images: int
    originals: torch.Tensor
    """First faces of the split, up to 16 x 3 x H x W, uint8, on the CPU."""
    reconstructions: torch.Tensor
    """The model's reconstructions of these faces, of the same shape and dtype."""


def validate(
    model: FaceAutoEncoder,
    loader: Loader,
    device: torch.device,
    after_batch: Callable[[], None] = lambda: None,
    sum_over_ranks: Callable[[Sequence[float]], Sequence[float]] = list,
) -> Validation:
    """Measure the model on every face of an evaluation loader, each counted once.

    PSNR is 10 log10(4 / MSE). The mean is over all pixels and channels of all faces, with values in
    [-1, 1]. The model runs in float32, as a saved model does, even if it is trained in another
    dtype; errors are summed in float64. The model's mode is restored.

    Args:
        after_batch: called between batches. An exception from it ends the validation.
        sum_over_ranks: adds up numbers over the processes that share the split. The faces returned
            are from this process's share.

    Raises:
        FaceaeError: the model returns numbers that are not finite.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), full_float32():
            return _validate(model, loader, device, after_batch, sum_over_ranks)
    finally:
        model.train(was_training)


def _validate(
    model: FaceAutoEncoder,
    loader: Loader,
    device: torch.device,
    after_batch: Callable[[], None],
    sum_over_ranks: Callable[[Sequence[float]], Sequence[float]],
) -> Validation:
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
    return Validation(
        psnr_db=psnr_db(sums[0] / sums[1]),
        num_images=int(sums[2]),
        originals=torch.cat(originals)[:_NUM_SHOWN],
        reconstructions=torch.cat(reconstructions)[:_NUM_SHOWN],
    )
