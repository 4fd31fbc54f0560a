"""Directions that change attributes of faces."""

from collections.abc import Sequence
from pathlib import Path

import faceae.editing
from faceae.device import DeviceName, resolve_device
from faceae.editing import Directions, DirectionsConfig, FolderPair
from faceae.model import load_model, weights_hash
from faceae.runs import read_run

from ._data import open_dataset


def find_directions(
    run: str | Path,
    data: str | Path,
    *,
    keep: Sequence[str] = (),
    keep_identity: bool = False,
    batch_size: int = 256,
    device: DeviceName = "auto",
) -> Directions:
    """Find the directions in a run's latent space that change attributes of faces.

    Writes `directions.safetensors` into the run's folder. A user's own directions there stay.

    Args:
        data: a packed dataset whose images have attributes.
        keep: attributes that the other directions must not change.
        keep_identity: the directions must not change what distinguishes persons.

    Returns:
        The directions, with their accuracies, and the attributes that were refused.

    Raises:
        FaceaeError, ShardsError: there is no such run or dataset, it has no attributes, an
            attribute to keep is unknown, or the device cannot be used.
    """
    opened = read_run(Path(run))
    model = load_model(opened.model_path, resolve_device(device))
    config = DirectionsConfig(keep=tuple(keep), keep_identity=keep_identity, batch_size=batch_size)
    found = faceae.editing.find_directions(model, open_dataset(data), config)
    return faceae.editing.save_found(opened.directions_path, found.directions)


def add_direction(
    run: str | Path,
    data: str | Path,
    name: str,
    positive: str | Path,
    negative: str | Path,
    *,
    align: bool | None = None,
    keep: Sequence[str] = (),
    keep_identity: bool = False,
    device: DeviceName = "auto",
) -> Directions:
    """Find the direction between two folders of photographs, and add it to a run's directions.

    Args:
        data: a packed dataset, whose training split shows how faces vary.
        name: of the direction. One of this name is replaced.
        positive, negative: folders of at least 10 photographs with something, and without it.
        align: see `FaceModel.encode`.
        keep: see `find_directions`, which must have found them.
        keep_identity: see `find_directions`.

    Returns:
        All directions of the run.

    Raises:
        FaceaeError, ShardsError: as `find_directions`; a folder has too few usable photographs; or
            the latents do not show the difference.
    """
    opened = read_run(Path(run))
    model = load_model(opened.model_path, resolve_device(device))
    known = faceae.editing.load_known(opened.directions_path, weights_hash(model))
    pair = FolderPair(
        name=name,
        positive=Path(positive),
        negative=Path(negative),
        framing=opened.frame(align=align),
    )
    config = DirectionsConfig(keep=tuple(keep), keep_identity=keep_identity)
    found = faceae.editing.find_direction(model, open_dataset(data), pair, known, config)
    return faceae.editing.save_own(opened.directions_path, known, found.directions)
