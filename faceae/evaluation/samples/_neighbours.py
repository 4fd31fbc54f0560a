"""Measures by nearest neighbours.

Shapes: N samples, M photographs, T training faces, D features, K neighbours.
"""

from dataclasses import dataclass

import torch

from faceae.explore import distance_blocks, find_nearest

NUM_NEIGHBOURS = 5
"""As Naeem et al. (2020); Kynkäänniemi et al. (2019) take 3."""

_COPY_QUANTILE = 0.01


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How far the supports of two sets of faces overlap."""

    precision: float
    """Share of the samples that lie within the photographs, 0 to 1."""
    recall: float
    """Share of the photographs that lie within the samples, 0 to 1."""
    density: float
    """Mean number of neighbourhoods of photographs that a sample lies in, divided by their size.
    About 1 for photographs; above it for samples that crowd where photographs are frequent."""
    coverage: float
    """Share of the photographs whose neighbourhoods hold a sample, 0 to 1."""


def measure_overlap(photographs: torch.Tensor, samples: torch.Tensor) -> Overlap:
    """Return precision and recall, and density and coverage, of samples against photographs.

    Kynkäänniemi et al. (2019), and Naeem et al. (2020). The neighbourhood of a face is the ball
    that reaches to its fifth nearest neighbour within its own set.

    Args:
        photographs, samples: M x D and N x D, each more than five.
    """
    real_M, fake_N = _radii(photographs), _radii(samples)
    num_inside, num_recalled, num_covered = 0, 0, 0
    inside_N = torch.zeros(len(samples), dtype=torch.bool, device=samples.device)
    for start, distances in distance_blocks(photographs, samples):
        radii = real_M[start : start + len(distances), None]
        inside = distances < radii
        inside_N |= inside.any(dim=0)
        num_inside += int(inside.sum())
        num_recalled += int((distances < fake_N).any(dim=1).sum())
        num_covered += int(inside.any(dim=1).sum())
    return Overlap(
        precision=int(inside_N.sum()) / len(samples),
        recall=num_recalled / len(photographs),
        density=num_inside / (NUM_NEIGHBOURS * len(samples)),
        coverage=num_covered / len(photographs),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainNeighbours:
    """Where faces lie among the training faces."""

    nearest: torch.Tensor
    """N; distance to the nearest training face."""
    closeness: torch.Tensor
    """N; the same, divided by the distance to the fifth nearest: near 0 for a copy, near 1 for a
    face between the training faces."""


def find_train_neighbours(faces: torch.Tensor, train: torch.Tensor) -> TrainNeighbours:
    """Find the nearest training faces of each face.

    Args:
        faces, train: N x D and T x D; more than five training faces.
    """
    near = find_nearest(faces, train, NUM_NEIGHBOURS)
    nearest_N = near.distances[:, 0]
    return TrainNeighbours(
        nearest=nearest_N, closeness=nearest_N / near.distances[:, -1].clamp(min=1e-12)
    )


def share_of_copies(samples: TrainNeighbours, held_out: TrainNeighbours) -> float:
    """Return the share of samples that are nearer to a training face than 99 % of held-out faces.

    Nearness is `closeness`, which does not mistake average faces for copies. About 0.01 where
    nothing was memorised.
    """
    limit = held_out.closeness.quantile(_COPY_QUANTILE)
    return float((samples.closeness < limit).double().mean())


def _radii(faces_ND: torch.Tensor) -> torch.Tensor:
    """Return the distance of each face to its fifth nearest neighbour in its own set, N."""
    blocks = [
        distances.kthvalue(NUM_NEIGHBOURS + 1, dim=1).values  # the nearest one is the face itself
        for _, distances in distance_blocks(faces_ND, faces_ND)
    ]
    return torch.cat(blocks)
