"""Draw new faces in a pipeline whose stages run at the same time: noise, faces, picture files."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.latent import latent_noise

from ..sessions import MicroBatchedSession, Session
from ._prefetch import prefetch_map

_FACES_PER_TASK = 32
"""Faces that a thread encodes at a time."""
_MIN_BATCH_SIZE = 64
_NOISE_THREADS = 4
"""Threads that draw noise. One draws less than a fast GPU turns into faces."""


def generate_faces(
    session: Session,
    *,
    seed: int,
    start: int,
    count: int,
    truncation: float = 1.0,
    batch_size: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Yield new faces in batches, N x S x S x 3 uint8, RGB.

    A thread draws the next batches while the caller handles one.

    A seed and a number determine a face. In one engine, on machines of one kind, its pixels are
    equal to the last bit whatever `start`, `count`, `batch_size` and the number of threads. For
    this the micro-batches always hold the same faces; a few faces before `start` and after the last
    one may be computed and dropped. Other engines may round some values by one level differently.

    Args:
        session: a generator from `open_session`, `open_model` or `open_generator`.
        seed: seed of the faces, from 0 to 2^63 - 1.
        start: number of the first face, from 0.
        count: number of faces.
        truncation: values below 1 bring every face nearer to the average face, 0 gives the average
            face only.
        batch_size: faces per batch, rounded up to whole micro-batches. The first and the last batch
            may be smaller. None: enough to keep all threads busy.

    Raises:
        FaceaeError: a number is out of range. Raised by the iterator.
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
    """Yield the faces of several ranges of numbers, one after the other; see `generate_faces`."""
    assert session.info.kind == "generator"
    assert isinstance(session, MicroBatchedSession)
    latent_size = session.info.model.latent_size
    truncation_array = np.array(truncation, np.float32)

    def draw(batch: _Batch) -> tuple[_Batch, NDArray[np.float32]]:
        return batch, latent_noise(seed, batch.start, batch.count, latent_size)

    def decode(drawn: tuple[_Batch, NDArray[np.float32]]) -> NDArray[np.uint8]:
        batch, noise_NZ = drawn
        faces_NHWC: NDArray[np.uint8] = session.run(noise_NZ, truncation_array)
        return faces_NHWC[batch.wanted]

    size = batch_size or max(_MIN_BATCH_SIZE, session.full_batch)
    noise = prefetch_map(
        draw,
        _cut(spans, session.micro_batch, size),
        threads=_NOISE_THREADS,
        depth=_NOISE_THREADS,
    )
    return prefetch_map(decode, noise)


def encode_faces(
    batches: Iterable[NDArray[np.uint8]], encode: Callable[[NDArray[np.uint8]], bytes]
) -> Iterator[bytes]:
    """Yield the faces of all batches as files, in order.

    As many threads encode as torch uses, ahead of the caller.

    Args:
        batches: faces, N x S x S x 3 uint8.
        encode: returns the file of a face, S x S x 3 uint8.
    """

    def encode_all(faces_NHWC: NDArray[np.uint8]) -> list[bytes]:
        return [encode(face_HWC) for face_HWC in faces_NHWC]

    tasks = (
        faces_NHWC[first : first + _FACES_PER_TASK]
        for faces_NHWC in batches
        for first in range(0, len(faces_NHWC), _FACES_PER_TASK)
    )
    threads = torch.get_num_threads()
    return itertools.chain.from_iterable(
        prefetch_map(encode_all, tasks, threads=threads, depth=2 * threads)
    )


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Faces to compute together, in whole micro-batches."""

    start: int
    count: int
    wanted: slice
    """The faces to return; the others fill the first and the last micro-batch."""


def _cut(spans: Iterable[range], micro_batch: int, batch_size: int) -> Iterator[_Batch]:
    """Yield batches that hold all numbers and start and end at multiples of `micro_batch`."""
    step = -(-batch_size // micro_batch) * micro_batch
    for span in spans:
        last = -(-span.stop // micro_batch) * micro_batch
        for start in range(span.start // micro_batch * micro_batch, span.stop, step):
            stop = min(start + step, last)
            wanted = slice(max(span.start, start) - start, min(span.stop, stop) - start)
            yield _Batch(start=start, count=stop - start, wanted=wanted)
