"""What priors that are not normal share: enough faces, some of them held out.

Shapes: N faces, Z latent size, D leading directions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceae.errors import FaceaeError

from ._normal import NormalPrior
from ._prior import PriorKind

OnProgress = Callable[[int, int], None]
"""Receives the number of faces seen so far, and the largest number of faces to see."""

MIN_FACES = 128
"""Fewest faces that a prior is fitted on that is not normal."""
_HELD_OUT_SHARE = 10
"""One face in so many is held out."""
_SEED = 0


def check_latents(kind: PriorKind, latents: NDArray[np.floating[Any]], normal: NormalPrior) -> None:
    """Check that a prior of this kind can be fitted on latents, N x Z.

    Raises:
        FaceaeError: too few faces, a latent size of 1, or all latents are equal.
    """
    remedy = "pass `prior='normal'`"
    if len(latents) < MIN_FACES:
        raise FaceaeError(
            f"`prior={kind!r}` needs at least {MIN_FACES} faces, got {len(latents)}; fit on a "
            f"larger split, or {remedy}"
        )
    if latents.shape[1] < 2:
        raise FaceaeError(f"`prior={kind!r}` needs a latent size of at least 2; {remedy}")
    if not normal.covariance.any():
        raise FaceaeError(f"`prior={kind!r}`: the model encodes all faces as the same; {remedy}")


def hold_out(x_ND: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows to fit on, and the rows that are held out, a choice by a fixed seed."""
    order = torch.randperm(len(x_ND), generator=torch.Generator().manual_seed(_SEED))
    num_held = len(x_ND) // _HELD_OUT_SHARE
    return x_ND[order[num_held:]], x_ND[order[:num_held]]
