"""Exact nearest neighbours, in blocks, so that memory stays bounded.

Shapes: N queries, M faces, D features, K neighbours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from faceae.errors import FaceaeError

_BLOCK_DISTANCES = 2**22
_BLOCK_FACES = 2**14


@dataclass(frozen=True, kw_only=True, eq=False)
class Nearest:
    """The nearest faces of each query, by rising distance."""

    distances: torch.Tensor
    """N x K float64."""
    rows: torch.Tensor
    """N x K int64; rows of the faces."""


def find_nearest(queries: torch.Tensor, faces: torch.Tensor, k: int) -> Nearest:
    """Find the K faces with the smallest Euclidean distance to each query.

    Args:
        queries, faces: features, N x D and M x D.

    Raises:
        FaceaeError: there are fewer than K faces.
    """
    if not 1 <= k <= len(faces):
        raise FaceaeError(f"`k` must be 1 to {len(faces):,}, the number of faces, got {k}")
    step = _BLOCK_DISTANCES // _BLOCK_FACES
    found = [
        _find_in_parts(queries[first : first + step].double(), faces, k)
        for first in range(0, len(queries), step)
    ]
    return Nearest(
        distances=torch.cat([each.distances for each in found]),
        rows=torch.cat([each.rows for each in found]),
    )


def _find_in_parts(queries: torch.Tensor, faces: torch.Tensor, k: int) -> Nearest:
    """Search one part of the faces after another, and keep the best so far."""
    distances = queries.new_empty((len(queries), 0))
    rows = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for first in range(0, len(faces), _BLOCK_FACES):
        part = faces[first : first + _BLOCK_FACES].double()
        near = _measure(queries, part).topk(min(k, len(part)), dim=1, largest=False)
        distances = torch.cat([distances, near.values], dim=1)
        rows = torch.cat([rows, near.indices + first], dim=1)
        best = distances.topk(min(k, distances.shape[1]), dim=1, largest=False)
        distances, rows = best.values, rows.gather(1, best.indices)
    return Nearest(distances=distances, rows=rows)


def distance_blocks(
    first: torch.Tensor, second: torch.Tensor
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the first row of each block of `first`, and its distances to all of `second`.

    Args:
        first, second: features, N x D and M x D.
    """
    first, second = first.double(), second.double()
    rows = max(1, _BLOCK_DISTANCES // len(second))
    for start in range(0, len(first), rows):
        yield start, _measure(first[start : start + rows], second)


def _measure(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    # In float64 the fast product form keeps the digits of small distances.
    return torch.cdist(first, second, compute_mode="use_mm_for_euclid_dist")
