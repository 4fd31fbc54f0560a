"""A direction from two folders of photographs.

Shapes: N faces, Z latent size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.framing import Framing, read_face
from faceae.model import FaceAutoEncoder, weights_hash
from faceae.pictures import list_pictures
from faceae_shards import Dataset, count_of

from ._choose import choose_by_folds
from ._classifier import class_gaps
from ._conditional import change_score
from ._directions import Direction, Directions
from ._examples import encode, read_examples
from ._find import (
    MIN_LEFT,
    DirectionsConfig,
    find_identity,
    make_directions,
    refuse_chance,
    refuse_kept,
)
from ._parts import OnProgress
from ._spread import Spread

MIN_PHOTOGRAPHS = 10
"""Photographs that each folder needs."""
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class FolderPair:
    """Photographs with something and photographs without it."""

    name: str
    """Name of the direction."""
    positive: Path
    """Folder of photographs that have it, of any size; subfolders are read too."""
    negative: Path
    """Folder of photographs that do not have it."""
    framing: Framing
    """How the photographs are cut to faces."""


class FoundPair(NamedTuple):
    """A direction, and the photographs that were left out."""

    directions: Directions
    """One direction."""
    left_out: tuple[str, ...]
    """Why photographs were left out, one line each."""
    reader: str
    """Name and version of the library that read the dataset."""


def find_direction(
    model: FaceAutoEncoder,
    dataset: Dataset,
    pair: FolderPair,
    known: Directions | None = None,
    config: DirectionsConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> FoundPair:
    """Return the direction between two folders of photographs.

    The classifier is chosen and measured by cross-validation in five folds. The training split of
    the dataset shows how faces vary. Photographs that cannot be used are left out.

    Args:
        model: in evaluation mode, on the device to encode on.
        known: directions of the same weights, which have the attributes to keep.

    Raises:
        FaceaeError, ShardsError: a folder has fewer than 10 usable photographs, the accuracy is
            near chance, an attribute to keep is unknown, or an image cannot be read.
    """
    config = config or DirectionsConfig()
    kept = _find_kept(known, config.keep, len_latent=model.config.latent_size)
    left_out: list[str] = []
    listed = [(folder, list_pictures(folder)) for folder in (pair.positive, pair.negative)]
    yes_NZ, no_NZ = (
        _encode_folder(model, folder, paths, pair, on_progress, left_out)
        for folder, paths in listed
    )
    train = read_examples(
        model,
        dataset,
        "train",
        batch_size=config.batch_size,
        loader=config.loader,
        on_images=lambda done, total: on_progress("train", done, total),
    )
    spread = Spread.of(train.latents)
    z_NZ = np.concatenate([yes_NZ, no_NZ])
    labels_N1 = np.repeat(np.array([1, -1], np.int8), [len(yes_NZ), len(no_NZ)])[:, None]
    chosen = choose_by_folds(spread, (z_NZ, labels_N1))
    accuracy, normal = float(chosen.accuracies[0]), chosen.normals[0]
    if not chosen.has_signal[0]:
        raise FaceaeError(f"{pair.name}: {refuse_chance(pair.name, accuracy).reason}")
    identity_KZ = find_identity(spread, train, dataset, config.keep_identity)
    gap = float(normal @ class_gaps(z_NZ, labels_N1)[0])
    change = change_score(spread, normal, gap, np.concatenate([kept, identity_KZ]))
    if change.share_left < MIN_LEFT:
        refusal = refuse_kept(pair.name, accuracy, change.share_left)
        raise FaceaeError(f"{pair.name}: {refusal.reason}")
    direction = Direction(
        name=pair.name,
        classifier=chosen.kinds[0],
        accuracy=accuracy,
        auc=float(chosen.aucs[0]),
        num_positive=len(yes_NZ),
        num_negative=len(no_NZ),
        keep=config.keep,
        keep_identity=config.keep_identity,
        share_left=change.share_left,
    )
    directions = make_directions(
        spread,
        train.latents,
        found=[direction],
        refused=(),
        vectors=[change.vector],
        normals=chosen.normals,
        weights_hash=weights_hash(model),
        dataset_hash=dataset.hash,
    )
    return FoundPair(directions, tuple(left_out), train.reader)


def _find_kept(
    known: Directions | None, keep: Sequence[str], len_latent: int
) -> NDArray[np.float64]:
    if not keep:
        return np.empty((0, len_latent))
    if known is None:
        raise FaceaeError(
            "`keep` needs the directions of these attributes; run `faceae directions RUN DATA` "
            "first, without two folders"
        )
    return known.normals[[known.index(name) for name in keep]].astype(np.float64)


def _encode_folder(
    model: FaceAutoEncoder,
    folder: Path,
    paths: Sequence[Path],
    pair: FolderPair,
    on_progress: OnProgress,
    left_out: list[str],
) -> NDArray[np.float32]:
    """Return the latents of a folder's photographs, N x Z."""
    size = model.config.image_size
    faces = []
    for done, path in enumerate(paths, 1):
        try:
            faces.append(read_face(path, size, pair.framing))
        except FaceaeError as error:
            left_out.append(str(error))
        on_progress(str(folder), done, len(paths))
    if len(faces) < MIN_PHOTOGRAPHS:
        reason = f"; {left_out[0]}" if left_out else ""
        raise FaceaeError(
            f"{folder}: {count_of(len(faces), 'usable photograph')}, where a direction needs "
            f"{MIN_PHOTOGRAPHS}{reason}"
        )
    images_NCHW = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)
    device = next(model.parameters()).device
    batches = (images_NCHW[first : first + _BATCH] for first in range(0, len(faces), _BATCH))
    return np.concatenate([encode(model, batch.to(device)) for batch in batches])
