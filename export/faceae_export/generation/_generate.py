"""New faces in order, in stages that go on at the same time: noise, faces, files."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.latent import latent_noise

from ..sessions import MicroBatchedSession, Session
from ._ahead import map_ahead

_FACES_A_TASK = 32
"""That one thread encodes before it looks for more."""
_MIN_BATCH = 64


def generate_faces(
    session: Session,
    *,
    seed: int,
    start: int,
    count: int,
    truncation: float = 1.0,
    batch_size: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Return batches of faces number `start` to `start + count - 1` of a seed, N x S x S x 3
    uint8, RGB, drawn a little ahead of who asks for them.

    A number's face is the same, to the last bit, whatever the batches, the start and the number of
    threads, in one engine on machines alike; in another engine roundings by one level may differ.
    For that the same faces are always computed together, and up to a piece of them at either end
    for nothing.

    Args:
        session: of a generator, opened by `open_session` or `open_model`.
        truncation: below 1 brings every face nearer to the average one.
        batch_size: N, but at the ends, rounded up to what the session computes at once; by default
            as many as keep its threads busy.

    Raises:
        FaceaeError: when drawing: a number out of range.
    """
    numbers = range(start, start + count)
    return generate_spans(
        session, seed=seed, spans=[numbers], truncation=truncation, batch_size=batch_size
    )


def generate_spans(
    session: Session,
    *,
    seed: int,
    spans: Iterable[range],
    truncation: float,
    batch_size: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Do what `generate_faces` does for several ranges of numbers, one after the other."""
    assert session.info.kind == "generator"
    assert isinstance(session, MicroBatchedSession)
    latent_size = session.info.model.latent_size
    brought_nearer = np.array(truncation, np.float32)

    def draw(batch: _Batch) -> tuple[_Batch, NDArray[np.float32]]:
        return batch, latent_noise(seed, batch.start, batch.count, latent_size)

    def decode(drawn: tuple[_Batch, NDArray[np.float32]]) -> NDArray[np.uint8]:
        batch, noise_NZ = drawn
        faces_NHWC: NDArray[np.uint8] = session.run(noise_NZ, brought_nearer)
        return faces_NHWC[batch.wanted]

    size = batch_size or max(_MIN_BATCH, session.full_batch)
    return map_ahead(decode, map_ahead(draw, _cut(spans, session.piece, size)))


def encode_faces(
    batches: Iterable[NDArray[np.uint8]], encode: Callable[[NDArray[np.uint8]], bytes]
) -> Iterator[bytes]:
    """Yield each face as the file that `encode` makes of it, S x S x 3 uint8, in order.

    As many threads encode, a little ahead of who asks, as torch uses.
    """

    def encode_all(faces_NHWC: NDArray[np.uint8]) -> list[bytes]:
        return [encode(face_HWC) for face_HWC in faces_NHWC]

    tasks = (
        faces_NHWC[first : first + _FACES_A_TASK]
        for faces_NHWC in batches
        for first in range(0, len(faces_NHWC), _FACES_A_TASK)
    )
    threads = torch.get_num_threads()
    return itertools.chain.from_iterable(
        map_ahead(encode_all, tasks, threads=threads, depth=2 * threads)
    )


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Faces to compute together: whole pieces."""

    start: int
    count: int
    wanted: slice
    """Those that were asked for."""


def _cut(spans: Iterable[range], piece: int, batch_size: int) -> Iterator[_Batch]:
    """Yield the batches that hold all numbers, beginning and ending at multiples of `piece`."""
    step = -(-batch_size // piece) * piece
    for span in spans:
        last = -(-span.stop // piece) * piece
        for start in range(span.start // piece * piece, span.stop, step):
            stop = min(start + step, last)
            wanted = slice(max(span.start, start) - start, min(span.stop, stop) - start)
            yield _Batch(start=start, count=stop - start, wanted=wanted)
