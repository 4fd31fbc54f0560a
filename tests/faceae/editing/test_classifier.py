"""Linear classifiers and their measures."""

import numpy as np
import pytest

from faceae.editing._classifier import (
    area_under_curve,
    balanced_accuracy,
    class_gaps,
    fit_candidates,
)
from faceae.editing._spread import Spread


def test_balanced_accuracy_ignores_the_size_of_a_class() -> None:
    labels = np.array([[1], [-1], [-1], [-1], [-1], [0]], np.int8)
    always_no = np.full((6, 1), -1.0)
    assert balanced_accuracy(always_no, labels)[0] == 0.5
    assert balanced_accuracy(labels.astype(float), labels)[0] == 1.0
    assert np.isnan(balanced_accuracy(always_no[:1], labels[:1])[0])


def test_area_under_curve_counts_ties_as_half() -> None:
    labels = np.array([1, 1, -1, -1], np.int8)
    assert area_under_curve(np.array([2.0, 3.0, 0.0, 1.0]), labels) == 1.0
    assert area_under_curve(np.zeros(4), labels) == 0.5
    assert area_under_curve(np.array([1.0, 0.0, 0.5, -1.0]), labels) == 0.75


def test_unknown_labels_do_not_count() -> None:
    vectors = np.array([[1.0], [0.0], [100.0]])
    assert class_gaps(vectors, np.array([[1], [-1], [0]], np.int8)) == pytest.approx(1.0)


def test_both_kinds_separate_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((400, 2)) < [0.5, 0.1], 1, -1).astype(np.int8)
    # The first number varies most and shows nothing.
    vectors = rng.normal(size=(400, 5)) * [30, 1, 1, 1, 1]
    vectors[:, 1:3] += 3 * labels
    best = {"ridge": 0.0, "logistic": 0.0}
    for classifiers in fit_candidates(Spread.of(vectors), vectors, labels):
        worst = balanced_accuracy(classifiers.score(vectors), labels).min()
        best[classifiers.kind] = max(best[classifiers.kind], float(worst))
    assert min(best.values()) > 0.95
