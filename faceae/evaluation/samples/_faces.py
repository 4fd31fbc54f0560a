"""The faces that are compared: new ones, reconstructions, and photographs.

Shapes: N faces, C channels, H and W pixels, Z latent size.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import Loader
from faceae.device import full_float32
from faceae.errors import FaceaeError
from faceae.latent import Sampler, latent_noise
from faceae.model import FaceAutoEncoder, to_float, to_uint8


def to_arrays(batches: Iterable[torch.Tensor]) -> NDArray[np.uint8]:
    """Return batches of N x 3 x H x W as one array, N x H x W x 3."""
    images: NDArray[np.uint8] = torch.cat(list(batches)).permute(0, 2, 3, 1).cpu().numpy()
    return images


def draw_faces(
    model: FaceAutoEncoder,
    sampler: Sampler,
    seed: int,
    count: int,
    batch_size: int,
    start: int = 0,
    truncation: float = 1.0,
) -> Iterator[torch.Tensor]:
    """Yield batches of new faces, N x 3 x H x W uint8, RGB, on the model's device.

    Args:
        start: number of the first face.
        truncation: see `Sampler.latents`.

    Raises:
        FaceaeError: a pixel is not finite.
    """
    device = next(model.parameters()).device
    for first in range(0, count, batch_size):
        size = min(batch_size, count - first)
        noise_NZ = latent_noise(seed, start + first, size, model.config.latent_size)
        z_NZ = torch.from_numpy(sampler.latents(noise_NZ, truncation)).to(device)
        with torch.inference_mode(), full_float32():
            faces_NCHW = model.decode(z_NZ)
        yield _to_pixels(faces_NCHW)


def reconstruct(model: FaceAutoEncoder, images_NCHW: torch.Tensor) -> torch.Tensor:
    """Return the reconstructions of faces, N x 3 x H x W uint8, RGB.

    Raises:
        FaceaeError: a pixel is not finite.
    """
    with torch.inference_mode(), full_float32():
        faces_NCHW = model(to_float(images_NCHW))
    return _to_pixels(faces_NCHW)


def _to_pixels(faces_NCHW: torch.Tensor) -> torch.Tensor:
    if not torch.isfinite(faces_NCHW).all():
        raise FaceaeError(
            "the model draws pixels that are not finite: its training diverged; train again with "
            "a lower `lr`"
        )
    return to_uint8(faces_NCHW)


def choose_places(num_images: int, count: int) -> NDArray[np.int64]:
    """Return ascending places of a random choice of the faces of a split."""
    random = np.random.default_rng(0)
    return np.sort(random.choice(num_images, min(count, num_images), replace=False))


def take(loader: Loader, places: NDArray[np.int64]) -> Iterator[torch.Tensor]:
    """Yield the faces at some places of a split, given in ascending order, batch by batch."""
    first = 0
    for images_NCHW, num_valid in loader:
        start, stop = np.searchsorted(places, [first, first + num_valid])
        if start < stop:
            rows = torch.from_numpy(places[start:stop] - first).to(images_NCHW.device)
            yield images_NCHW[rows]
        first += num_valid
