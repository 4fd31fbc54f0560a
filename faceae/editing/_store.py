"""The directions of a run: reading them, and writing new ones beside the weights."""

from pathlib import Path

from faceae.errors import FaceaeError

from ._directions import Directions


def load_known(path: Path, weights_hash: str) -> Directions | None:
    """Return the directions of a run; None where there are none yet.

    Raises:
        FaceaeError: the file is damaged, or belongs to other weights.
    """
    if not path.exists():
        return None
    known = Directions.load(path)
    known.check_weights(weights_hash, path)
    return known


def save_found(path: Path, found: Directions) -> Directions:
    """Write the directions of a dataset's attributes, and keep a user's own of the same weights.

    Directions of the file whose names are no attributes of the dataset are a user's own. A file
    that cannot be read is replaced, as its error message promises.

    Returns:
        What was written.
    """
    try:
        known = load_known(path, found.weights_hash)
    except FaceaeError:
        known = None
    if known is not None:
        attributes = {*found.names, *(refusal.name for refusal in found.refused)}
        found = found.put(known.take(set(known.names) - attributes))
    found.save(path)
    return found


def save_own(path: Path, known: Directions | None, own: Directions) -> Directions:
    """Write a user's own direction, added to known ones or in place of the one of its name.

    Returns:
        What was written.
    """
    directions = own if known is None else known.put(own)
    directions.save(path)
    return directions
