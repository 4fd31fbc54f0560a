"""Measures by nearest neighbours on points whose neighbours are known."""

import numpy as np
import pytest
import torch

from faceae.evaluation.samples import measure_overlap
from faceae.evaluation.samples._neighbours import find_train_neighbours, share_of_copies
from faceae.explore import _nearest


def normal(num: int, seed: int, size: int = 8) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (num, size))).float()


def test_equal_sets_overlap_wholly() -> None:
    points = normal(100, 0)
    overlap = measure_overlap(points, points)
    assert (overlap.precision, overlap.recall, overlap.coverage) == (1.0, 1.0, 1.0)


def test_distant_sets_do_not_overlap() -> None:
    overlap = measure_overlap(normal(100, 0), normal(100, 1) + 100)
    assert (overlap.precision, overlap.recall) == (0.0, 0.0)
    assert (overlap.density, overlap.coverage) == (0.0, 0.0)


def test_coverage_of_one_distribution_is_that_of_the_paper() -> None:
    """Naeem et al. (2020): 1 - 2^-k, about, for equally many samples; the mean density is 1."""
    overlaps = [measure_overlap(normal(400, i), normal(400, 100 + i)) for i in range(5)]
    assert np.mean([o.coverage for o in overlaps]) == pytest.approx(1 - 2**-5, abs=0.02)
    assert np.mean([o.density for o in overlaps]) == pytest.approx(1.0, abs=0.1)


def test_few_faces_repeated_lose_recall_but_no_precision() -> None:
    real, few = normal(300, 0), normal(10, 1).repeat_interleave(30, dim=0)
    overlap = measure_overlap(real, few)
    assert overlap.recall == 0.0
    assert overlap.coverage < 0.5
    assert overlap.precision > 0.3


def test_blocks_do_not_change_the_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake, train = normal(90, 0), normal(70, 1), normal(150, 2)
    overlap, near = measure_overlap(real, fake), find_train_neighbours(fake, train)
    monkeypatch.setattr(_nearest, "_BLOCK_DISTANCES", 1000)
    monkeypatch.setattr(_nearest, "_BLOCK_FACES", 40)
    assert measure_overlap(real, fake) == overlap
    torch.testing.assert_close(find_train_neighbours(fake, train).nearest, near.nearest)


def test_copies_are_found_and_average_faces_are_none() -> None:
    train, held_out = normal(1000, 0), find_train_neighbours(normal(1000, 1), normal(1000, 0))
    copies = find_train_neighbours(train[:100] + 1e-3, train)
    average = find_train_neighbours(normal(100, 2) * 0.1, train)
    assert share_of_copies(copies, held_out) == 1.0
    assert share_of_copies(average, held_out) < 0.05
