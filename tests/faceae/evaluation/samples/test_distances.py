"""Distances of sets of features against their definitions."""

import numpy as np
import pytest
import torch

from faceae.evaluation.samples import _distances, frechet_distance, kernel_distance


def normal(num: int, size: int, seed: int, mean: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    numbers = np.random.default_rng(seed).normal(mean, scale, (num, size))
    return torch.from_numpy(numbers).float()


def test_frechet_distance_of_diagonal_normals() -> None:
    """(m1 - m2)^2 + (s1 - s2)^2 in each dimension."""
    first, second = normal(40_000, 3, 0), normal(40_000, 3, 1, mean=2.0, scale=3.0)
    assert frechet_distance(first, second) == pytest.approx(3 * (4 + 4), rel=0.02)


def test_a_set_has_no_distance_from_itself() -> None:
    features = normal(100, 8, 0)
    assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-6)


def test_kernel_distance_is_the_unbiased_estimate() -> None:
    first, second = normal(30, 4, 0).double(), normal(30, 4, 1, mean=1.0).double()

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.T / 4 + 1) ** 3

    within = sum((kernel(x, x).sum() - kernel(x, x).trace()) / (30 * 29) for x in (first, second))
    expected = float(within - 2 * kernel(first, second).mean())
    assert kernel_distance(first, second) == pytest.approx(expected)


def test_kernel_distance_does_not_grow_with_fewer_faces() -> None:
    distances = [kernel_distance(normal(50, 8, i), normal(50, 8, 1000 + i)) for i in range(200)]
    assert abs(np.mean(distances)) < 4 * np.std(distances) / np.sqrt(200)


def test_kernel_distance_of_unequal_sets_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = normal(30, 4, 0), normal(50, 4, 1, mean=0.5)
    distance = kernel_distance(first, second)
    monkeypatch.setattr(_distances, "_BLOCK_FACES", 7)
    assert kernel_distance(first, second) == pytest.approx(distance)
