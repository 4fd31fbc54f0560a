"""Principal component analysis, the best linear code of a given size.

Shapes: N faces, C channels, H and W pixels, D = C H W values of a face, K components.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.model import to_float

_MAX_BYTES = 2**30
"""Largest matrix of faces, N x D float32: 21,845 faces of 64x64 pixels, 5,461 of 128x128."""

_OVERSAMPLING = 64
_NUM_ITERATIONS = 4
"""Power iterations."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pca:
    """A mean face and the principal components of faces."""

    mean: torch.Tensor
    """Mean face, D float32, values in [-1, 1]."""
    components: torch.Tensor
    """D x K, float32, orthonormal columns."""

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        """Project faces onto K components; both N x 3 x H x W float32 in [-1, 1].

        Values outside are clipped.
        """
        x_ND = images.flatten(1) - self.mean
        x_ND = (x_ND @ self.components) @ self.components.T + self.mean
        return x_ND.clamp(-1.0, 1.0).view(images.shape)


def choose_faces(
    num_images: int, image_size: int, num_components: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Choose the faces of a split to fit PCA on: all, or a random subset if they exceed 1 GiB.

    Args:
        num_images: number of faces in the split.
        image_size: height and width in pixels.

    Returns:
        Positions in the split, ascending.

    Raises:
        FaceaeError: PCA with this many components needs more or larger faces.
    """
    num_values = 3 * image_size**2
    count = min(num_images, _MAX_BYTES // (4 * num_values))
    if count <= num_components:
        raise FaceaeError(
            f"PCA of {num_components:,} components needs more faces than that to be fitted on, "
            f"and here are {count:,}; pass `pca=False`"
        )
    if num_values < num_components:
        raise FaceaeError(
            f"PCA of {num_components:,} components is impossible for faces of "
            f"{image_size}x{image_size} pixels, which have only {num_values:,} values; "
            "pass `pca=False`"
        )
    places = np.random.default_rng(seed).choice(num_images, count, replace=False)
    return np.sort(places)


@torch.inference_mode()
def fit_pca(faces: torch.Tensor, num_components: int, *, seed: int = 0) -> Pca:
    """Return the first principal components of faces.

    Uses the randomised singular value decomposition of Halko, Martinsson and Tropp (2011) with four
    power iterations. Memory holds the faces as float32, and a few matrices of D x K.

    Args:
        faces: N x 3 x H x W uint8, contiguous; more than `num_components`.
        seed: seed of the random projection. Torch's global random state is restored.
    """
    x_ND = to_float(faces).flatten(1)
    mean_D = x_ND.mean(dim=0)
    x_ND -= mean_D
    rank = min(num_components + _OVERSAMPLING, *x_ND.shape)
    with torch.random.fork_rng(devices=[x_ND.device] if x_ND.is_cuda else []):
        torch.manual_seed(seed)
        _, _, v_DK = torch.svd_lowrank(x_ND, q=rank, niter=_NUM_ITERATIONS)
    return Pca(mean=mean_D, components=v_DK[:, :num_components].contiguous())
