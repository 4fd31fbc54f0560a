"""Draws a whole set of faces with several processes."""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

import faceae_shards
from faceae.errors import FaceaeError

from ._celeba import (
    IMAGE_FOLDER,
    Annotation,
    annotate,
    identities,
    image_name,
    partition,
    write_annotations,
)
from ._config import SynthConfig, SynthSummary
from ._draw import paint
from ._face import Face
from ._sample import sample_identity
from ._sample_picture import sample_picture

MARKER = ".unfinished-synth.json"
"""File in the set while it is drawn: it marks an interrupted run, which may be removed."""

_JPEG_QUALITY = 88
"""JPEG quality; gives files of 8 kB on average, like CelebA's."""
_CHUNK = 32
"""Number of pictures that a process draws before it reports."""

Progress = Callable[[int, int], None]


def write_dataset(
    config: SynthConfig, on_progress: Progress = lambda done, total: None
) -> SynthSummary:
    """Draw `config.count` faces into `config.out`, laid out like CelebA.

    Picture i of a seed is the same for any count and any number of workers, to the byte on one
    machine. A longer set thus begins with a shorter one's pictures; only the borders of its splits
    depend on the count. The text files are written last. `on_progress` receives (done, total).

    Raises:
        FaceaeError: `config.out` is not empty, or a process died.
        OSError: the disk is full or not writable.
    """
    restarted = _prepare(config)
    people = identities(config.seed, config.count)
    annotations: list[Annotation] = []
    num_bytes = 0
    for sizes, notes in _drawn(config, people):
        num_bytes += sum(sizes)
        annotations += notes
        on_progress(len(annotations), config.count)
    parts = partition(people)
    write_annotations(config.out, annotations, people, parts)
    (config.out / MARKER).unlink()
    num_train, num_valid, num_test = np.bincount(parts, minlength=3).tolist()
    return SynthSummary(
        out=config.out,
        num_identities=int(people[-1]) + 1,
        num_images={"train": num_train, "valid": num_valid, "test": num_test},
        num_bytes=num_bytes,
        restarted=restarted,
    )


def _prepare(config: SynthConfig) -> bool:
    """Make empty folders; return whether an interrupted run's pictures were removed first."""
    out = config.out
    if out.exists() and not out.is_dir():
        raise FaceaeError(f"{out} is a file; name a new or empty folder for the faces")
    interrupted = (out / MARKER).is_file()
    if out.is_dir() and not interrupted and faceae_shards.holds_files(out):
        raise FaceaeError(f"{out} is not empty; name a new folder, or delete that one first")
    out.mkdir(parents=True, exist_ok=True)
    faceae_shards.write_json(out / MARKER, {"seed": config.seed, "count": config.count})
    if (out / IMAGE_FOLDER).is_dir():
        shutil.rmtree(out / IMAGE_FOLDER)
    (out / IMAGE_FOLDER).mkdir()
    return interrupted


@dataclass(frozen=True)
class _Chunk:
    """Pictures that one process draws before it reports."""

    folder: Path
    seed: int
    first: int
    people: NDArray[np.int64]


_Drawn = tuple[list[int], list[Annotation]]
"""File sizes and the entries for the text files."""


def _chunks(config: SynthConfig, people: NDArray[np.int64]) -> Iterator[_Chunk]:
    folder = config.out / IMAGE_FOLDER
    for first in range(0, len(people), _CHUNK):
        yield _Chunk(folder, config.seed, first, people[first : first + _CHUNK])


def _draw_chunk(chunk: _Chunk) -> _Drawn:
    sizes, annotations = [], []
    for index, person in enumerate(chunk.people.tolist(), start=chunk.first):
        identity = sample_identity(chunk.seed, person)
        face = Face(identity, sample_picture(chunk.seed, index, identity))
        jpeg = simplejpeg.encode_jpeg(paint(face), quality=_JPEG_QUALITY, colorsubsampling="420")
        (chunk.folder / image_name(index)).write_bytes(jpeg)
        sizes.append(len(jpeg))
        annotations.append(annotate(face))
    return sizes, annotations


def _drawn(config: SynthConfig, people: NDArray[np.int64]) -> Iterator[_Drawn]:
    """Yield each chunk's results in order."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(config.workers, context, _start_worker)
    pending: list[Future[_Drawn]] = []
    try:
        for chunk in _chunks(config, people):
            with _sigint_held():
                pending.append(executor.submit(_draw_chunk, chunk))
            if len(pending) > 2 * config.workers:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    except BrokenProcessPool as error:
        raise FaceaeError(
            "a drawing process was killed, perhaps for want of memory; "
            "run the same command again, with fewer --workers if memory is short"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _sigint_held() -> Iterator[None]:
    """Start processes with Ctrl-C blocked, so that none prints a traceback while it imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # on Ctrl-C end at once, without a traceback
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process if its parent was killed; the executor's queues would wait forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
