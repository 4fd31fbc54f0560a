"""Writes CelebA's annotation files exactly as published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faceae_shards

from ..canvas import HEIGHT, WIDTH
from ..drawing import eye_centres, mouth_corners
from ..face import Face
from ..traits import LAYOUT_STREAM, generator
from ._attributes import ATTRIBUTE_NAMES, attributes

IMAGE_FOLDER = "img_align_celeba"
PARTITION_FILE = "list_eval_partition.txt"
"""Written last: its presence means that the set is complete."""

_TRAIN_SHARE, _VALID_SHARE = 162_770 / 202_599, 19_867 / 202_599
_MAX_PICTURES_OF_ONE = 30
_NUM_SPARSE_IDENTITIES = 200
"""Number of first people with fewer pictures, so that a small set shows many people."""
_BLOCK = 1024
"""People whose numbers of pictures are drawn at once."""

_LANDMARKS = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y"
_LANDMARKS += " rightmouth_x rightmouth_y"


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """The entries of one picture in CelebA's files; positions are in its pixels."""

    attributes: NDArray[np.bool_]
    """In the order of `ATTRIBUTE_NAMES`."""
    landmarks: NDArray[np.int16]
    """x and y of left eye, right eye, nose, left and right mouth corner, as the viewer sees it."""
    box: NDArray[np.int16]
    """x, y, width and height of the face without hair."""


def annotate(face: Face) -> Annotation:
    """Return the entries of a picture in CelebA's files."""
    nose = face.project([(0.0, face.nose_y, face.nose_z)])
    points = np.concatenate([eye_centres(face), nose, mouth_corners(face)])
    low = np.clip(np.floor(face.outline.min(axis=0)), 0, None)
    high = np.minimum(np.ceil(face.outline.max(axis=0)), (WIDTH, HEIGHT))
    return Annotation(
        attributes=np.array(list(attributes(face).values())),
        landmarks=np.floor(points).astype(np.int16).ravel(),
        box=np.concatenate([low, high - low]).astype(np.int16),
    )


def image_name(index: int) -> str:
    """Return the name of picture `index`, counted from 0."""
    return f"{index + 1:06d}.jpg"


def identities(seed: int, count: int) -> NDArray[np.int64]:
    """Return the person on each of the first `count` pictures: numbers from 0, never decreasing.

    People have 1 to 30 pictures, 20 on average as in CelebA, but the first 200 fewer: 100 pictures
    show about 40 people, 1,000 about 140, 10,000 about 600.
    """
    runs: list[NDArray[np.int64]] = []
    total, block = 0, 0
    while total < count:
        runs.append(_num_pictures(seed, block))
        total += int(runs[-1].sum())
        block += 1
    lengths = np.concatenate(runs)
    return np.repeat(np.arange(len(lengths)), lengths)[:count]


def _num_pictures(seed: int, block: int) -> NDArray[np.int64]:
    """Return how many pictures each person of a block has."""
    rng = generator(seed, LAYOUT_STREAM, block)
    number = block * _BLOCK + np.arange(_BLOCK)
    most = _MAX_PICTURES_OF_ONE * np.minimum((number + 5) / _NUM_SPARSE_IDENTITIES, 1)
    return np.maximum(np.rint(most * rng.beta(2, 1, _BLOCK)), 1).astype(np.int64)


def partition(people: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 (train), 1 (valid) or 2 (test) for each picture.

    As in CelebA, the split follows the position and nobody is in two parts; the proportions are
    CelebA's. No part is empty if there are at least three people.
    """
    starts = np.flatnonzero(np.diff(people, prepend=-1))
    num_people = len(starts)
    wanted = np.array([_TRAIN_SHARE, _TRAIN_SHARE + _VALID_SHARE]) * len(people)
    first = int(np.abs(starts - wanted[0]).argmin())
    second = int(np.abs(starts - wanted[1]).argmin())
    if num_people >= 3:
        first = min(max(first, 1), num_people - 2)
        second = min(max(second, first + 1), num_people - 1)
    bounds = [starts[number] if number else len(people) for number in (first, second)]
    return np.searchsorted(bounds, np.arange(len(people)), side="right")


def write_annotations(
    out: Path,
    annotations: Sequence[Annotation],
    people: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> None:
    """Write CelebA's five text files, the partition last."""
    count = str(len(annotations))
    attribute_rows = (
        "".join("  1" if has else " -1" for has in annotation.attributes)
        for annotation in annotations
    )
    # CelebA's header of attributes ends with a space.
    _write(out / "list_attr_celeba.txt", [count, " ".join(ATTRIBUTE_NAMES) + " "], attribute_rows)
    landmark_rows = (
        f" {annotation.landmarks[0]}" + "".join(f"{x:5d}" for x in annotation.landmarks[1:])
        for annotation in annotations
    )
    _write(out / "list_landmarks_align_celeba.txt", [count, _LANDMARKS], landmark_rows)
    box_rows = (" {:5d} {:3d} {:3d} {:3d}".format(*annotation.box) for annotation in annotations)
    _write(out / "list_bbox_celeba.txt", [count, "image_id x_1 y_1 width height"], box_rows)
    _write(out / "identity_CelebA.txt", [], (f" {person + 1}" for person in people))
    _write(out / PARTITION_FILE, [], (f" {part}" for part in parts))


def _write(path: Path, head: list[str], rows: Iterable[str]) -> None:
    lines = [*head, *(image_name(index) + row for index, row in enumerate(rows))]
    with faceae_shards.atomic_path(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")
