"""Draw a whole set of faces with several processes."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

import faceae_shards
from faceae.errors import FaceaeError
from faceae_shards.executors import LocalExecutor, Tick

from ..drawing import paint
from ..face import Face
from ..traits import sample_identity, sample_picture
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

MARKER = ".unfinished-synth.json"
"""File that marks an unfinished set. Pictures beside it may be removed."""

_JPEG_QUALITY = 88
"""The files have 8 kB on average, like those of CelebA."""
_CHUNK = 32
"""Pictures per task."""

Progress = Callable[[int, int], None]


def write_dataset(
    config: SynthConfig, on_progress: Progress = lambda done, total: None
) -> SynthSummary:
    """Draw `config.count` faces into `config.out`, in the layout of CelebA.

    Picture i of a seed does not depend on the count nor on the number of workers, and has the same
    bytes on one machine. So a longer set begins with the pictures of a shorter one. (The place
    where its parts begin depends on the count.) The text files are written last. With more than one
    worker this starts processes: a script that calls it must do so below
    `if __name__ == "__main__":`.

    Args:
        on_progress: receives the number of pictures drawn so far, and the number to draw.

    Raises:
        FaceaeError: `config.out` holds other files.
        ShardsError: a process died.
        OSError: the file system failed, for example on a full disk.
    """
    restarted = _prepare(config)
    people = identities(config.seed, config.count)
    drawn: list[_DrawnChunk] = []
    LocalExecutor(config.workers).run(
        _DrawWorker(),
        _chunks(config, people),
        on_result=drawn.append,
        on_ticks=lambda num_drawn: on_progress(num_drawn, config.count),
    )
    drawn.sort(key=lambda chunk: chunk.first)
    parts = partition(people)
    annotations = [annotation for chunk in drawn for annotation in chunk.annotations]
    write_annotations(config.out, annotations, people, parts)
    (config.out / MARKER).unlink()
    num_train, num_valid, num_test = np.bincount(parts, minlength=3).tolist()
    return SynthSummary(
        out=config.out,
        num_identities=int(people[-1]) + 1,
        num_images={"train": num_train, "valid": num_valid, "test": num_test},
        num_bytes=sum(chunk.num_bytes for chunk in drawn),
        restarted=restarted,
    )


def _prepare(config: SynthConfig) -> bool:
    """Make the empty folders. Return whether pictures of an interrupted run were removed."""
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


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Pictures that one process draws in one go."""

    folder: Path
    seed: int
    first: int
    """Number of the first picture."""
    people: NDArray[np.int64]
    """Number of the person on each picture."""


@dataclass(frozen=True, kw_only=True)
class _DrawnChunk:
    first: int
    num_bytes: int
    annotations: list[Annotation]


def _chunks(config: SynthConfig, people: NDArray[np.int64]) -> Iterator[_Chunk]:
    folder = config.out / IMAGE_FOLDER
    for first in range(0, len(people), _CHUNK):
        yield _Chunk(
            folder=folder, seed=config.seed, first=first, people=people[first : first + _CHUNK]
        )


class _DrawWorker:
    """Draws chunks, one after another."""

    def run(self, chunk: _Chunk, tick: Tick) -> _DrawnChunk:
        """Write the pictures of one chunk."""
        num_bytes, annotations = 0, []
        with _one_opencv_thread():
            for index, person in enumerate(chunk.people.tolist(), start=chunk.first):
                identity = sample_identity(chunk.seed, person)
                face = Face(identity, sample_picture(chunk.seed, index, identity))
                jpeg = simplejpeg.encode_jpeg(
                    paint(face), quality=_JPEG_QUALITY, colorsubsampling="420"
                )
                (chunk.folder / image_name(index)).write_bytes(jpeg)
                num_bytes += len(jpeg)
                annotations.append(annotate(face))
                tick()
        return _DrawnChunk(first=chunk.first, num_bytes=num_bytes, annotations=annotations)

    def close(self) -> None:
        """Do nothing: no file stays open."""


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from starting as many threads as there are cores in each process."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
