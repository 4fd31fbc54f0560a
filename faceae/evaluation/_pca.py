"""Principal component analysis, the best linear code of a given size.

Shapes: N faces, C channels, H and W pixels, D = C H W values of a face, K components.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import OnImages
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
def fit_pca(
    faces: torch.Tensor,
    num_components: int,
    *,
    seed: int = 0,
    on_faces: OnImages = lambda done, total: None,
) -> Pca:
    """Return the first principal components of faces.

    Uses the randomised singular value decomposition of Halko, Martinsson and Tropp (2011) with four
    power iterations. Memory holds the faces as float32, and a few matrices of D x K.

    Args:
        faces: N x 3 x H x W uint8, contiguous; more than `num_components`.
        seed: seed of the random projection. Torch's global random state is restored.
        on_faces: receives the number of faces multiplied so far, and in all: ten times N.
    """
    x_ND = to_float(faces).flatten(1)
    mean_D = x_ND.mean(dim=0)
    x_ND -= mean_D
    rank = min(num_components + _OVERSAMPLING, *x_ND.shape)
    with torch.random.fork_rng(devices=[x_ND.device] if x_ND.is_cuda else []):
        torch.manual_seed(seed)
        v_DK = _find_directions(x_ND, rank, on_faces)
    return Pca(mean=mean_D, components=v_DK[:, :num_components].contiguous())


def _find_directions(x_ND: torch.Tensor, rank: int, on_faces: OnImages) -> torch.Tensor:
    """Return the right singular vectors, D x rank, as torch.svd_lowrank does to the last bit.

    That function counts nothing, and takes minutes.
    """
    num_passes = 2 + 2 * _NUM_ITERATIONS
    done = 0
    is_wide = x_ND.shape[0] < x_ND.shape[1]
    a_MP = x_ND.mT if is_wide else x_ND

    def multiply(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        nonlocal done
        product = left @ right
        done += 1
        on_faces(done * len(x_ND), num_passes * len(x_ND))
        return product

    q_MK = torch.linalg.qr(multiply(a_MP, torch.randn(a_MP.shape[1], rank, device=a_MP.device))).Q
    for _ in range(_NUM_ITERATIONS):
        q_PK = torch.linalg.qr(multiply(a_MP.mT, q_MK)).Q
        q_MK = torch.linalg.qr(multiply(a_MP, q_PK)).Q
    u_KK, _, vh_KP = torch.linalg.svd(multiply(q_MK.mT, a_MP), full_matrices=False)
    directions_DK: torch.Tensor = q_MK @ u_KK if is_wide else vh_KP.mT
    return directions_DK
