"""The faces to fit classifiers on, to choose them by, and to measure them on."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceae.data import LoaderKind
from faceae.model import FaceAutoEncoder
from faceae_shards import Dataset

from ._examples import Examples, read_examples

OnProgress = Callable[[str, int, int], None]
"""Receives the name of a stage, the number of its faces done, and of all its faces."""

_TRAIN_SPLIT = "train"
_HELD_OUT = ("valid", "test")
_TENTHS = 10


class Parts(NamedTuple):
    """Three sets of faces."""

    train: Examples
    choose: Examples
    report: Examples


def read_parts(
    model: FaceAutoEncoder,
    dataset: Dataset,
    *,
    batch_size: int,
    loader: LoaderKind,
    on_progress: OnProgress,
) -> Parts:
    """Encode the training split, and the valid and the test split or parts of what there is.

    Where one of the two is missing, the other is halved. Where both are, two tenths of the training
    split take their places. All faces of a known person are in one part.

    Raises:
        FaceaeError, ShardsError: there is no training split, or an image cannot be read.
    """

    def read(split: str) -> Examples:
        return read_examples(
            model,
            dataset,
            split,
            batch_size=batch_size,
            loader=loader,
            on_images=lambda done, total: on_progress(split, done, total),
        )

    train = read(_TRAIN_SPLIT)
    held_out = [read(split) for split in _HELD_OUT if split in dataset.splits]
    if len(held_out) == 2:
        return Parts(train, *held_out)
    if held_out:
        half_N = group_faces(held_out[0].persons) % 2
        return Parts(train, held_out[0].take(half_N == 0), held_out[0].take(half_N == 1))
    tenth_N = group_faces(train.persons) % _TENTHS
    return Parts(train.take(tenth_N > 1), train.take(tenth_N == 0), train.take(tenth_N == 1))


def group_faces(persons: Sequence[object]) -> NDArray[np.intp]:
    """Return a number for each face from 0, which all faces of a known person share.

    Args:
        persons: of the faces; None: unknown, a person of its own.
    """
    numbers: dict[object, int] = {}
    keys = [("face", row) if person is None else person for row, person in enumerate(persons)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)
