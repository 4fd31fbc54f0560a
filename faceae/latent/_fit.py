"""One pass of the encoder over a set of faces."""

from collections.abc import Iterable

import torch

from faceae.device import full_float32
from faceae.model import FaceAutoEncoder, to_float

from ._moments import LatentMoments


@torch.inference_mode()
@full_float32()
def measure_latents(
    model: FaceAutoEncoder, batches: Iterable[tuple[torch.Tensor, int]]
) -> LatentMoments:
    """Return the moments of the latents of every valid face in `batches`.

    Args:
        model: in evaluation mode, on the device of the batches; encodes in float32.
        batches: such as `faceae.data.Batch`, in evaluation order: uint8 faces, N x 3 x S x S, and
            how many of them are no padding.
    """
    moments = LatentMoments(model.config.latent_size)
    for images_NCHW, num_valid in batches:
        z_NZ = model.encode(to_float(images_NCHW[:num_valid]))
        moments.update(z_NZ.cpu().numpy())
    return moments
