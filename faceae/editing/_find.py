"""Finds a direction for every attribute of a dataset.

Shapes: K attributes, Z latent size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceae.data import LoaderKind
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, weights_hash
from faceae_shards import Dataset

from ._choose import Chosen, choose_by_split
from ._classifier import class_gaps
from ._conditional import change_score, identity_normals
from ._directions import Direction, Directions, Refusal, find_name
from ._examples import Examples
from ._parts import OnProgress, Parts, read_parts
from ._spread import Spread

MIN_EXAMPLES = 20
"""Training faces with an attribute, and as many without it, that a direction needs."""
MIN_HELD_OUT = 5
"""Faces of either kind that choose a classifier, and as many others that measure it."""
MIN_LEFT = 0.1
"""A direction is refused if the kept attributes leave less than this share of it."""


@dataclass(frozen=True, kw_only=True)
class DirectionsConfig:
    """Options of a search for directions."""

    keep: tuple[str, ...] = ()
    """Attributes that every other direction leaves as they are."""
    keep_identity: bool = False
    """Leave what distinguishes persons as it is. The dataset must know the persons."""
    batch_size: int = 256
    """Faces per batch. Does not change the result."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""


class Found(NamedTuple):
    """Directions, and the library that read the faces."""

    directions: Directions
    reader: str
    """Name and version of the library, and where it decodes."""


def find_directions(
    model: FaceAutoEncoder,
    dataset: Dataset,
    config: DirectionsConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Found:
    """Return a direction for every attribute of a dataset that the latents show.

    Ridge and logistic classifiers are fitted on at most 20,000 training faces. Held-out faces
    choose one for each attribute, and others measure it. Attributes with too few examples or an
    accuracy near chance are refused.

    Args:
        model: in evaluation mode, on the device to encode on.
        on_progress: receives the split that is encoded, and how many of its faces are done.

    Raises:
        FaceaeError, ShardsError: the dataset has no attributes or too few faces, an attribute to
            keep has no classifier, persons are unknown, or an image cannot be read.
    """
    config = config or DirectionsConfig()
    names = dataset.attribute_names
    if not names:
        raise FaceaeError(
            f"{dataset.location}: its faces have no attributes; pack a source with a table of "
            "attributes, or give two folders of photographs"
        )
    for name in config.keep:
        find_name(name, names, "`keep`")
    parts = read_parts(
        model,
        dataset,
        batch_size=config.batch_size,
        loader=config.loader,
        on_progress=on_progress,
    )
    enough_K, refused = _find_enough(names, parts)
    if not enough_K.any():
        raise FaceaeError(
            f"{dataset.location}: no attribute has {MIN_EXAMPLES} training faces and twice "
            f"{MIN_HELD_OUT} held-out faces both with and without it; pack more faces"
        )
    search = _Search(
        names=[name for name, is_enough in zip(names, enough_K, strict=True) if is_enough],
        parts=Parts(*(part.take_attributes(enough_K) for part in parts)),
        refused=refused,
        config=config,
    )
    directions = search.run(dataset, weights_hash(model))
    return Found(directions, parts.train.reader)


def make_directions(
    spread: Spread,
    latents: NDArray[np.float32],
    *,
    found: Sequence[Direction],
    refused: Sequence[Refusal],
    vectors: Sequence[NDArray[np.float64]],
    normals: NDArray[np.float64],
    weights_hash: str,
    dataset_hash: str,
) -> Directions:
    """Return directions whose scores have a variance of 1 on training faces, N x Z latents."""
    scores_NK = (latents - spread.mean) @ normals.T
    deviations_K = scores_NK.std(axis=0)
    unit_KZ = normals / deviations_K[:, None]
    vectors_KZ = np.array(vectors).reshape(-1, len(spread.mean))
    return Directions(
        found=tuple(found),
        refused=tuple(refused),
        vectors=vectors_KZ.astype(np.float32),
        normals=unit_KZ.astype(np.float32),
        offsets=(unit_KZ @ spread.mean).astype(np.float32),
        limits=(np.abs(scores_NK).max(axis=0) / deviations_K).astype(np.float32),
        weights_hash=weights_hash,
        dataset_hash=dataset_hash,
    )


def find_identity(
    spread: Spread, train: Examples, dataset: Dataset, keep_identity: bool
) -> NDArray[np.float64]:
    """Return the normals that `keep_identity` keeps, none without it.

    Raises:
        FaceaeError: the dataset knows too few persons.
    """
    if not keep_identity:
        return np.empty((0, len(spread.mean)))
    normals_KZ = identity_normals(spread, train.latents, train.persons)
    if not len(normals_KZ):
        raise FaceaeError(
            f"{dataset.location}: `keep_identity` needs persons with several images, and this "
            "dataset knows too few of them; leave it out"
        )
    return normals_KZ


def refuse_chance(name: str, accuracy: float) -> Refusal:
    """Return the refusal of an attribute whose accuracy is near chance."""
    reason = (
        f"the latents do not show it: balanced accuracy {accuracy:.2f} on held-out faces, where "
        "0.50 is chance"
    )
    return Refusal(name=name, reason=reason, accuracy=accuracy)


def refuse_kept(name: str, accuracy: float, share_left: float) -> Refusal:
    """Return the refusal of an attribute of which the kept ones leave nothing."""
    reason = f"what is kept leaves {share_left:.1%} of it; keep less"
    return Refusal(name=name, reason=reason, accuracy=accuracy)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """Attributes with enough examples, and those that were refused before."""

    names: Sequence[str]
    parts: Parts
    refused: list[Refusal]
    config: DirectionsConfig

    def run(self, dataset: Dataset, weights_hash: str) -> Directions:
        """Return the directions of all attributes with signal."""
        train, choose, report = self.parts
        spread = Spread.of(train.latents)
        chosen = choose_by_split(spread, train.labelled, choose.labelled, report.labelled)
        self.refused.extend(
            refuse_chance(self.names[k], float(chosen.accuracies[k]))
            for k in _rows(~chosen.has_signal)
        )
        kept_rows = self._find_kept()
        identity_KZ = find_identity(spread, train, dataset, self.config.keep_identity)
        gaps_KZ = class_gaps(*train.labelled)
        rows, found, vectors = [], [], []
        for k in _rows(chosen.has_signal):
            others = [row for row in kept_rows if row != k]
            normal, kept = chosen.normals[k], chosen.normals[others]
            kept_KZ = np.concatenate([kept, identity_KZ])
            change = change_score(spread, normal, float(normal @ gaps_KZ[k]), kept_KZ)
            if change.share_left < MIN_LEFT:
                accuracy = float(chosen.accuracies[k])
                self.refused.append(refuse_kept(self.names[k], accuracy, change.share_left))
                continue
            rows.append(k)
            vectors.append(change.vector)
            found.append(self._describe(k, chosen, others, change.share_left))
        order = dataset.attribute_names.index
        return make_directions(
            spread,
            train.latents,
            found=found,
            refused=sorted(self.refused, key=lambda refusal: order(refusal.name)),
            vectors=vectors,
            normals=chosen.normals[rows],
            weights_hash=weights_hash,
            dataset_hash=dataset.hash,
        )

    def _find_kept(self) -> list[int]:
        """Return the rows of the attributes to keep."""
        reasons = {refusal.name: refusal.reason for refusal in self.refused}
        for name in self.config.keep:
            if name in reasons:
                raise FaceaeError(f"`keep`: {name} cannot be kept: {reasons[name]}")
        return [self.names.index(name) for name in self.config.keep]

    def _describe(
        self, row: int, chosen: Chosen, others: Sequence[int], share_left: float
    ) -> Direction:
        labels_N = self.parts.train.labels[:, row]
        return Direction(
            name=self.names[row],
            classifier=chosen.kinds[row],
            accuracy=float(chosen.accuracies[row]),
            auc=float(chosen.aucs[row]),
            num_positive=int((labels_N == 1).sum()),
            num_negative=int((labels_N == -1).sum()),
            keep=tuple(self.names[other] for other in others),
            keep_identity=self.config.keep_identity,
            share_left=share_left,
        )


def _find_enough(names: Sequence[str], parts: Parts) -> tuple[NDArray[np.bool_], list[Refusal]]:
    """Return which attributes have enough examples, K, and the refusals of the others."""
    counts = np.array([[(part.labels == sign).sum(axis=0) for sign in (1, -1)] for part in parts])
    least = np.array([MIN_EXAMPLES, MIN_HELD_OUT, MIN_HELD_OUT])[:, None, None]
    enough_K: NDArray[np.bool_] = np.all(counts >= least, axis=(0, 1))
    refused = []
    for k in _rows(~enough_K):
        trained = " and ".join(f"{count:,}" for count in counts[0, :, k])
        held_out = " and ".join(f"{count:,}" for count in counts[1:, :, k].min(axis=0))
        reason = (
            f"too few examples: {trained} training faces with and without it ({MIN_EXAMPLES} "
            f"needed), {held_out} held-out faces ({MIN_HELD_OUT} needed)"
        )
        refused.append(Refusal(name=names[k], reason=reason, accuracy=None))
    return enough_K, refused


def _rows(chosen: NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(chosen)]
