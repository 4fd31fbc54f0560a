"""Directions that change one attribute and keep others.

Shapes: Z numbers of a vector, K kept classifiers, P persons.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._spread import Spread

_NUM_IDENTITY_AXES = 32
"""Most discriminants of persons that a direction keeps."""
_IDENTITY_RIDGE = 0.1
_NOTHING = 1e-9
"""A smaller share that is left is a rounding error."""


class Change(NamedTuple):
    """A change of vectors."""

    vector: NDArray[np.float64]
    """Z."""
    share_left: float
    """What the kept classifiers leave of the attribute, 0 to 1: 1 less the share of its classifier
    that they explain."""


def change_score(
    spread: Spread, normal: NDArray[np.float64], gap: float, kept: NDArray[np.float64]
) -> Change:
    """Return the likeliest change that adds `gap` to one score and nothing to the kept ones.

    Likeliest under a normal distribution with the covariance C: the shortest in the Mahalanobis
    distance. Without kept classifiers it goes along C w for the normal w, and thus follows what
    varies among faces. The normal itself would point to where faces vary least.

    Args:
        normal: Z.
        kept: K x Z, normals of the classifiers whose scores stay.
    """
    whole_Z = spread.half(normal)
    rest_Z = whole_Z
    if len(kept):
        kept_ZK = spread.half(kept).T
        kept_ZK /= np.linalg.norm(kept_ZK, axis=0).clip(min=np.finfo(np.float64).tiny)
        rest_Z = whole_Z - kept_ZK @ np.linalg.lstsq(kept_ZK, whole_Z, rcond=1e-9)[0]
    share_left = float(rest_Z @ rest_Z / (whole_Z @ whole_Z))
    if share_left < _NOTHING:
        return Change(vector=np.zeros_like(normal), share_left=0.0)
    # The rest of the normal moves the whole score as it moves its own.
    return Change(vector=spread.half(rest_Z) * (gap / (rest_Z @ rest_Z)), share_left=share_left)


def identity_normals(
    spread: Spread, vectors: NDArray[np.floating], persons: Sequence[object]
) -> NDArray[np.float64]:
    """Return normals along which persons differ most from one another, K x Z.

    These are the linear discriminants of all persons with at least two images. There are 32, but
    at most a third of the number of persons; none where no person is known.

    Args:
        persons: of each of N x Z vectors; None: unknown.
    """
    coordinates_NZ = spread.to_axes(vectors, _IDENTITY_RIDGE)
    rows: dict[object, list[int]] = {}
    for row, person in enumerate(persons):
        if person is not None:
            rows.setdefault(person, []).append(row)
    groups = [group for group in rows.values() if len(group) > 1]
    count = min(_NUM_IDENTITY_AXES, len(groups) // 3)
    if count == 0:
        return np.empty((0, vectors.shape[1]))
    means_PZ = np.stack([coordinates_NZ[group].mean(axis=0) for group in groups])
    sizes_P1 = np.sqrt([[len(group)] for group in groups])
    _, _, axes_KZ = np.linalg.svd(means_PZ * sizes_P1, full_matrices=False)
    return spread.normals(axes_KZ[:count], _IDENTITY_RIDGE)
