"""The space in which alike faces are close.

Shapes: N faces, Z latent size, D features.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_MAX_FEATURES = 512
_FACES_PER_FEATURE = 4
"""With fewer faces than that, their covariance would fit these faces alone."""


class LikenessSpace:
    """Directions of latents from the average face, after scaling to equal variances.

    Distances of latents themselves are ruled by light and background, which vary most. Here every
    principal direction counts alike, and the length, which says how unusual a face is, does not
    count.
    """

    def __init__(self, latents: NDArray[np.floating[Any]]) -> None:
        """Fit the space to the latents of many faces, N x Z."""
        z_NZ = latents.astype(np.float64)
        self._mean_Z = z_NZ.mean(axis=0)
        covariance_ZZ = np.atleast_2d(np.cov(z_NZ.T)) if len(z_NZ) > 1 else np.eye(z_NZ.shape[1])
        variances, vectors = np.linalg.eigh(covariance_ZZ)
        size = max(1, min(_MAX_FEATURES, len(variances), len(z_NZ) // _FACES_PER_FEATURE))
        kept = variances[-size:].clip(min=max(variances[-1], 1e-12) * 1e-8)
        self._scales_ZD = vectors[:, -size:] / np.sqrt(kept)

    def extract(self, latents: NDArray[np.floating[Any]]) -> torch.Tensor:
        """Return features of latents, N x Z, as N x D float32 of length 1."""
        features_ND = (latents.astype(np.float64) - self._mean_Z) @ self._scales_ZD
        lengths_N1 = np.linalg.norm(features_ND, axis=1, keepdims=True)
        return torch.from_numpy(features_ND / lengths_N1.clip(min=1e-12)).float()
