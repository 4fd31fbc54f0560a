"""Chooses classifiers by held-out faces, and judges whether they see more than chance.

Shapes: N faces, K attributes, Z latent size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._classifier import (
    ClassifierKind,
    Classifiers,
    area_under_curve,
    balanced_accuracy,
    fit_candidates,
)
from ._spread import Spread

_MIN_ACCURACY = 0.55
_NUM_ERRORS = 2.0
"""An accuracy that is fewer standard errors than this above chance is no signal."""
_FOLDS = 5

Labelled = tuple[NDArray[np.floating], NDArray[np.int8]]
"""Vectors, N x Z, and labels, N x K."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """The best classifier of each attribute, and its quality on other faces."""

    kinds: tuple[ClassifierKind, ...]
    normals: NDArray[np.float64]
    """K x Z."""
    accuracies: NDArray[np.float64]
    """K; balanced accuracy."""
    aucs: NDArray[np.float64]
    """K."""
    has_signal: NDArray[np.bool_]
    """K; whether the accuracy is clearly above chance."""


def choose_by_split(spread: Spread, train: Labelled, choose: Labelled, report: Labelled) -> Chosen:
    """Fit on some faces, choose by others, and measure on the rest.

    Each part needs faces of both kinds for each attribute.
    """
    candidates = list(fit_candidates(spread, *train))
    accuracies = [balanced_accuracy(each.score(choose[0]), choose[1]) for each in candidates]
    best_K = [int(best) for best in np.argmax(accuracies, axis=0)]
    scores = [each.score(report[0]) for each in candidates]
    return _make_chosen(candidates, best_K, scores, report[1])


def choose_by_folds(spread: Spread, examples: Labelled) -> Chosen:
    """Choose and measure by cross-validation in five folds, then fit on all faces.

    With few faces no others are left to measure on, so the accuracy is that of the best of seven
    classifiers and a little high.
    """
    vectors_NZ, labels_NK = examples
    fold_N = _make_folds(labels_NK)
    candidates = list(fit_candidates(spread, vectors_NZ, labels_NK))
    scores = [np.zeros(labels_NK.shape) for _ in candidates]
    for fold in range(_FOLDS):
        rest, held = fold_N != fold, fold_N == fold
        fitted = fit_candidates(spread, vectors_NZ[rest], labels_NK[rest])
        for scores_NK, classifiers in zip(scores, fitted, strict=True):
            scores_NK[held] = classifiers.score(vectors_NZ[held])
    accuracies = [balanced_accuracy(each, labels_NK) for each in scores]
    best_K = [int(best) for best in np.argmax(accuracies, axis=0)]
    return _make_chosen(candidates, best_K, scores, labels_NK)


def has_signal(accuracies: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return whether balanced accuracies on N x K labels are clearly above chance, K.

    Clearly: at least 0.55, and two standard errors above 0.5.
    """
    errors_K = _standard_errors(accuracies, labels)
    return (accuracies >= _MIN_ACCURACY) & (accuracies - _NUM_ERRORS * errors_K > 0.5)


def _make_chosen(
    candidates: Sequence[Classifiers],
    best_K: Sequence[int],
    scores: Sequence[NDArray[np.float64]],
    labels_NK: NDArray[np.int8],
) -> Chosen:
    """Join the best classifier of each attribute.

    Args:
        scores: of each candidate, N x K, on the faces of `labels_NK`.
    """
    columns = list(enumerate(best_K))
    best_NK = np.stack([scores[best][:, k] for k, best in columns], axis=1)
    accuracies_K = balanced_accuracy(best_NK, labels_NK)
    return Chosen(
        kinds=tuple(candidates[best].kind for best in best_K),
        normals=np.stack([candidates[best].normals[k] for k, best in columns]),
        accuracies=accuracies_K,
        aucs=np.array([area_under_curve(best_NK[:, k], labels_NK[:, k]) for k, _ in columns]),
        has_signal=has_signal(accuracies_K, labels_NK),
    )


def _standard_errors(
    accuracies_K: NDArray[np.float64], labels_NK: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return the standard errors of balanced accuracies, K."""
    counts_2K = np.stack([(labels_NK == 1).sum(axis=0), (labels_NK == -1).sum(axis=0)])
    variance_K = accuracies_K * (1 - accuracies_K) * (1 / counts_2K).sum(axis=0) / 4
    errors_K: NDArray[np.float64] = np.sqrt(variance_K)
    return errors_K


def _make_folds(labels_NK: NDArray[np.int8]) -> NDArray[np.intp]:
    """Return the fold of each face, N, so that each has as many of both kinds of one attribute."""
    fold_N = np.zeros(len(labels_NK), np.intp)
    for sign in (1, -1):
        rows = np.random.default_rng(0).permutation(np.flatnonzero(labels_NK[:, 0] == sign))
        fold_N[rows] = np.arange(len(rows)) % _FOLDS
    return fold_N
