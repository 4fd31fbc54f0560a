"""Least-squares fits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceae_shards.faces import TARGETS
from faceae_shards.faces._similarity import Similarity, fit_similarity, turn

similarities = st.builds(
    lambda scale, angle, x, y: Similarity(rotation=turn(scale, angle), shift=np.array([x, y])),
    st.floats(0.01, 100),
    st.floats(-3.1, 3.1),
    st.floats(-1000, 1000),
    st.floats(-1000, 1000),
)


@given(similarities)
def test_an_exact_fit_is_found(made: Similarity) -> None:
    found = fit_similarity(TARGETS, made.apply(TARGETS))
    np.testing.assert_allclose(found.matrix, made.matrix, rtol=1e-6, atol=1e-6)


@given(similarities, similarities)
def test_one_after_the_other_and_back(first: Similarity, second: Similarity) -> None:
    both = first.then(second)
    np.testing.assert_allclose(both.apply(TARGETS), second.apply(first.apply(TARGETS)))
    np.testing.assert_allclose(first.invert().apply(first.apply(TARGETS)), TARGETS, atol=1e-6)


def test_no_other_transform_is_closer() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 5, 2))
    best = fit_similarity(source, target)

    def error(fit: Similarity) -> float:
        return float(((fit.apply(source) - target) ** 2).sum())

    for change in rng.normal(scale=0.01, size=(50, 4)):
        rotation = best.rotation + np.array([[change[0], -change[1]], [change[1], change[0]]])
        assert error(Similarity(rotation=rotation, shift=best.shift + change[2:])) > error(best)


def test_points_that_coincide() -> None:
    with pytest.raises(ValueError, match="all points coincide"):
        fit_similarity(np.ones((3, 2)), TARGETS[:3])
