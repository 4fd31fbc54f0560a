"""PSNR and SSIM of reconstructions.

Shapes: N faces, C channels, H and W pixels.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

from faceae.device import full_float32
from faceae.model import psnr_db, to_float

Reconstruct = Callable[[torch.Tensor], torch.Tensor]
"""Maps faces, N x 3 x H x W float32 in [-1, 1], RGB, to their reconstructions, the same."""

Batches = Iterable[tuple[torch.Tensor, int]]
"""Such as `faceae.data.Batch`, in evaluation order: uint8 faces, N x 3 x H x W, and how many of
them are not padding."""


@dataclass(frozen=True, kw_only=True)
class RankedFace:
    """A face of a split, and the quality of its reconstruction."""

    index: int
    """Position in the stored order of the split, from 0."""
    psnr_db: float
    name: str | None = None
    """File that the face was packed from. None: not looked up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quality:
    """Measures of every face of a split, in its stored order."""

    mean_squared_errors: NDArray[np.float64]
    """N; mean over all values of a face, in [-1, 1]."""
    ssims: NDArray[np.float64]
    """N; at most 1."""

    @property
    def psnr_db(self) -> float:
        """PSNR over all pixels of all faces, as in training.

        Raises:
            FaceaeError: an error is not finite.
        """
        return psnr_db(float(self.mean_squared_errors.mean()))

    @property
    def image_psnrs_db(self) -> NDArray[np.float64]:
        """PSNR of each face, N."""
        return np.array([psnr_db(float(error)) for error in self.mean_squared_errors])

    def rank_faces(self) -> tuple[RankedFace, ...]:
        """Return all faces, the lowest PSNR first; ties in stored order."""
        psnrs_db = self.image_psnrs_db
        order = np.argsort(psnrs_db, kind="stable")
        return tuple(RankedFace(index=int(i), psnr_db=float(psnrs_db[i])) for i in order)


@torch.inference_mode()
@full_float32()
def measure_quality(reconstruct: Reconstruct, batches: Batches) -> Quality:
    """Compare each valid face of `batches` with its reconstruction, in float32.

    SSIM is defined as in Wang, Bovik, Sheikh and Simoncelli (2004): a Gaussian window of 11 x 11
    with a standard deviation of 1.5 pixels, pixels in [0, 1], and the mean over three channels.

    Args:
        reconstruct: such as a model in evaluation mode, on the device of the batches.
    """
    errors, ssims = [np.empty(0)], [np.empty(0)]
    for pixels_NCHW, num_valid in batches:
        if num_valid == 0:
            continue
        images_NCHW = to_float(pixels_NCHW[:num_valid])
        faces_NCHW = reconstruct(images_NCHW)
        error_N = (faces_NCHW - images_NCHW).double().square().mean(dim=(1, 2, 3))
        errors.append(error_N.cpu().numpy())
        ssims.append(_ssim(faces_NCHW, images_NCHW).double().cpu().numpy())
    return Quality(mean_squared_errors=np.concatenate(errors), ssims=np.concatenate(ssims))


def take_faces(batches: Batches, indices: NDArray[np.int64]) -> torch.Tensor:
    """Return the faces at given positions, N x 3 x H x W uint8, on the batches' device.

    Reads all batches. Memory holds one of them besides the faces.

    Args:
        indices: positions among the valid faces of `batches`, from 0, in the order to return.
    """
    order = np.argsort(indices, kind="stable")
    ascending = indices[order]
    taken, first = [], 0
    for pixels_NCHW, num_valid in batches:
        start, stop = np.searchsorted(ascending, [first, first + num_valid])
        rows = torch.from_numpy(ascending[start:stop] - first).to(pixels_NCHW.device)
        taken.append(pixels_NCHW[rows].contiguous())
        first += num_valid
    asked_order = torch.from_numpy(np.argsort(order))
    return torch.cat(taken)[asked_order]


def _ssim(faces_NCHW: torch.Tensor, images_NCHW: torch.Tensor) -> torch.Tensor:
    # The constants of SSIM assume that black is 0.
    ssim_N = structural_similarity_index_measure(
        (faces_NCHW + 1.0) / 2.0, (images_NCHW + 1.0) / 2.0, reduction="none", data_range=1.0
    )
    assert isinstance(ssim_N, torch.Tensor)
    return ssim_N
