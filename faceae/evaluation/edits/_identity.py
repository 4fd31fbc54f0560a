"""Whether an edited face is still nearest to its own person.

Shapes: N faces, D features.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from faceae.editing import Spread, group_faces, identity_normals
from faceae.model import to_float

_THUMBNAIL_PIXELS = 20
_BATCH = 512


class IdentitySpace:
    """Features in which persons differ: linear discriminants of small pictures of faces.

    Where no persons are known, the features are the small pictures' principal components, scaled to
    nearly equal variances.
    """

    def __init__(self, images: torch.Tensor, persons: Sequence[object]) -> None:
        """Fit the space on training faces, N x 3 x S x S uint8.

        Args:
            persons: of the faces; None: unknown.
        """
        vectors_ND = _shrink(images)
        spread = Spread.of(vectors_ND)
        normals = identity_normals(spread, vectors_ND, persons)
        self.knows_persons = len(normals) > 0
        """Whether the space separates persons, and not only pictures."""
        if not self.knows_persons:
            normals = spread.normals(np.eye(len(spread.mean))[-32:], 0.1)
        self._normals = normals

    def extract(self, images: torch.Tensor) -> NDArray[np.float64]:
        """Return the features of faces, N x 3 x S x S uint8, as N x D."""
        features_ND: NDArray[np.float64] = _shrink(images) @ self._normals.T
        return features_ND


class Gallery:
    """Unedited faces of held-out persons, to find edited faces among."""

    def __init__(self, features: NDArray[np.float64], persons: Sequence[object]) -> None:
        """Hold the features of faces, N x D, and their persons; None: a person of its own."""
        self._features = features
        self._groups = group_faces(persons)

    @property
    def num_persons(self) -> int:
        """Number of persons."""
        return int(self._groups.max()) + 1

    def rank(self, features: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return 1 and the number of persons who are nearer to an edited face than its own.

        Args:
            features: of edited faces, M x D.
            rows: the places of the unedited faces in the gallery, M.
        """
        ranks = np.empty(len(rows), np.intp)
        for place, (feature_D, row) in enumerate(zip(features, rows, strict=True)):
            distances_N = np.linalg.norm(self._features - feature_D, axis=1)
            own = self._groups == self._groups[row]
            nearer = distances_N < distances_N[own].min()
            ranks[place] = 1 + len(np.unique(self._groups[nearer]))
        return ranks


def _shrink(images: torch.Tensor) -> NDArray[np.float64]:
    size = (_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS)
    parts = []
    for first in range(0, len(images), _BATCH):
        x_NCHW = to_float(images[first : first + _BATCH])
        parts.append(F.interpolate(x_NCHW, size=size, mode="bilinear", antialias=True))
    vectors_ND: NDArray[np.float64] = torch.cat(parts).flatten(1).double().numpy()
    return vectors_ND
