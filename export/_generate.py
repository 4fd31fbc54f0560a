"""New faces, batch by batch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faceae.latent import latent_noise

from ._session import Session


def generate_faces(
    session: Session,
    *,
    seed: int,
    start: int,
    count: int,
    truncation: float = 1.0,
    batch_size: int = 64,
) -> Iterator[NDArray[np.uint8]]:
    """Return batches of faces number `start` to `start + count - 1` of a seed, N x S x S x 3
    uint8, RGB, each drawn when it is asked for.

    A number's face does not depend on the batches, but for roundings by one level.

    Args:
        session: of a generator.
        truncation: below 1 brings every face nearer to the average one.
        batch_size: N of every batch but the last.

    Raises:
        FaceaeError: when drawing: a number out of range.
    """
    assert session.info.kind == "generator"
    return _draw(session, seed, range(start, start + count), truncation, batch_size)


def _draw(
    session: Session, seed: int, numbers: range, truncation: float, batch_size: int
) -> Iterator[NDArray[np.uint8]]:
    for first in numbers[::batch_size]:
        size = min(batch_size, numbers.stop - first)
        noise_NZ = latent_noise(seed, first, size, session.info.model.latent_size)
        faces_NHWC: NDArray[np.uint8] = session.run(noise_NZ, np.array(truncation, np.float32))
        yield faces_NHWC
