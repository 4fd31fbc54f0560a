"""Linear classifiers of attributes, and their quality on held-out examples.

Shapes: N examples, K attributes, Z numbers of a vector. Labels are N x K int8: 1 yes, -1 no, 0
unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ._spread import Spread

ClassifierKind = Literal["ridge", "logistic"]

_RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""Regularisation of ridge, relative to the mean variance of the vectors."""
_LOGISTIC_RIDGE = 0.01
_PENALTIES = (0.1, 0.01)
"""Regularisation of logistic regression: weight of half the squared norm of its coefficients,
along axes with nearly equal variances."""
_STEPS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifiers:
    """A linear classifier for each of K attributes. A score above 0 means yes."""

    kind: ClassifierKind
    normals: NDArray[np.float64]
    """K x Z."""
    thresholds: NDArray[np.float64]
    """K: the score of a vector is its product with the normal, less this."""

    def score(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the scores of N x Z vectors, N x K."""
        scores_NK: NDArray[np.float64] = vectors @ self.normals.T - self.thresholds
        return scores_NK


def fit_candidates(
    spread: Spread, vectors: NDArray[np.floating], labels: NDArray[np.int8]
) -> Iterator[Classifiers]:
    """Yield ridge and logistic classifiers of N x Z vectors, the most regularised ridge first.

    Both classes of an attribute weigh the same, however many examples they have. Each attribute
    needs an example of either kind.
    """
    gaps_KZ = class_gaps(vectors, labels)
    for ridge in _RIDGES:
        coefficients_KZ = gaps_KZ @ spread.axes / spread.scale(ridge)
        yield _between_classes("ridge", spread.normals(coefficients_KZ, ridge), vectors, labels)
    for penalty in _PENALTIES:
        coefficients_KZ = _fit_logistic(spread.to_axes(vectors, _LOGISTIC_RIDGE), labels, penalty)
        normals_KZ = spread.normals(coefficients_KZ, _LOGISTIC_RIDGE)
        yield _between_classes("logistic", normals_KZ, vectors, labels)


def class_gaps(vectors: NDArray[np.floating], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the mean of the vectors with an attribute less that of those without, K x Z."""
    shares_NK = _class_shares(labels == 1) - _class_shares(labels == -1)
    gaps_KZ: NDArray[np.float64] = shares_NK.T @ vectors
    return gaps_KZ


def balanced_accuracy(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the mean of the shares of yes and of no that are recognised, K, 0 to 1.

    0.5 is chance. NaN where there is no example of a kind.
    """
    hit_yes_K = (_class_shares(labels == 1) * (scores > 0)).sum(axis=0)
    hit_no_K = (_class_shares(labels == -1) * (scores <= 0)).sum(axis=0)
    has_both_K = (labels == 1).any(axis=0) & (labels == -1).any(axis=0)
    return np.where(has_both_K, np.minimum((hit_yes_K + hit_no_K) / 2, 1.0), np.nan)


def area_under_curve(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> float:
    """Return the chance that a yes has a higher score than a no, 0 to 1; both are N.

    Equal scores count as half.
    """
    yes, no = np.sort(scores[labels == 1]), np.sort(scores[labels == -1])
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.sum() / (2 * len(yes) * len(no)))


def _class_shares(members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 / size of the class for its members and 0 for others, N x K."""
    shares_NK: NDArray[np.float64] = members / np.maximum(members.sum(axis=0), 1)
    return shares_NK


def _between_classes(
    kind: ClassifierKind,
    normals_KZ: NDArray[np.float64],
    vectors: NDArray[np.floating],
    labels: NDArray[np.int8],
) -> Classifiers:
    """Return classifiers whose thresholds lie midway between the mean scores of both classes."""
    scores_NK = vectors @ normals_KZ.T
    weights_NK = _class_shares(labels == 1) + _class_shares(labels == -1)
    thresholds_K = (weights_NK * scores_NK).sum(axis=0) / 2
    return Classifiers(kind=kind, normals=normals_KZ, thresholds=thresholds_K)


def _fit_logistic(
    coordinates_NZ: NDArray[np.float64], labels: NDArray[np.int8], penalty: float
) -> NDArray[np.float64]:
    """Return the coefficients of logistic regression, K x Z, by L-BFGS for all attributes."""
    x_NZ = torch.from_numpy(coordinates_NZ).float()
    y_NK = torch.from_numpy(labels).float()
    weights = (_class_shares(labels == 1) + _class_shares(labels == -1)) / 2
    weights_NK = torch.from_numpy(weights).float()
    v_KZ = torch.zeros(labels.shape[1], x_NZ.shape[1], requires_grad=True)
    bias_K = torch.zeros(labels.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [v_KZ, bias_K], max_iter=_STEPS, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        margins_NK = y_NK * (x_NZ @ v_KZ.T + bias_K)
        losses_NK = torch.nn.functional.softplus(-margins_NK)
        loss = (weights_NK * losses_NK).sum() + penalty / 2 * v_KZ.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return v_KZ.detach().double().numpy()
