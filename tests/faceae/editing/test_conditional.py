"""Changes that leave other scores as they are."""

import numpy as np
import pytest

from faceae.editing._conditional import change_score, identity_normals
from faceae.editing._spread import Spread


@pytest.fixture
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 5


def test_a_change_moves_its_score_and_no_kept_one(vectors: np.ndarray) -> None:
    spread, normals = Spread.of(vectors), np.random.default_rng(1).normal(size=(3, 6))
    change = change_score(spread, normals[0], 2.5, normals[1:])
    assert normals @ change.vector == pytest.approx([2.5, 0, 0], abs=1e-9)
    assert 0 < change.share_left < 1


def test_no_shorter_change_does_the_same(vectors: np.ndarray) -> None:
    spread, normal = Spread.of(vectors), np.eye(6)[0]
    change = change_score(spread, normal, 1.0, np.empty((0, 6))).vector
    inverse = np.linalg.inv(np.cov(vectors.T))
    for axis in np.eye(6)[1:]:
        other = change + 0.01 * axis
        assert normal @ other == pytest.approx(1.0)
        assert other @ inverse @ other > change @ inverse @ change


def test_nothing_is_left_where_the_same_is_kept(vectors: np.ndarray) -> None:
    normal = np.eye(6)[0]
    assert change_score(Spread.of(vectors), normal, 1.0, normal[None]).share_left == 0.0
    free = change_score(Spread.of(vectors), normal, 1.0, np.empty((0, 6)))
    assert free.share_left == pytest.approx(1.0)


def test_identity_is_where_persons_differ() -> None:
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(30), 5)
    vectors = rng.normal(size=(150, 4))
    vectors[:, 2] += 4 * rng.normal(size=30)[persons]
    normals = identity_normals(Spread.of(vectors), vectors, list(persons))
    assert np.argmax(np.abs(normals[0])) == 2
    assert len(identity_normals(Spread.of(vectors), vectors, [None] * 150)) == 0
