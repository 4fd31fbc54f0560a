"""SPDL: its pipeline of threads with its own decoder, one list of files for each batch.

Its documentation advises `load_image_batch` where the images of a batch are known in advance.
FFmpeg, which it loads, scales the shorter side and cuts the centre.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import spdl.io
from spdl.pipeline import PipelineBuilder

from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE, mirror_some

_FIT = (
    f"scale=w={IMAGE_SIZE}:h={IMAGE_SIZE}:force_original_aspect_ratio=increase:flags=bilinear,"
    f"crop={IMAGE_SIZE}:{IMAGE_SIZE},format=pix_fmts=rgb24"
)


def _load(paths: list[str]) -> Any:
    buffer = spdl.io.load_image_batch(paths, width=None, height=None, filter_desc=_FIT)
    return mirror_some(spdl.io.to_torch(buffer))


def open_spdl(folder: Path) -> Callable[[], int]:
    """Read loose JPEGs with as many threads as workers."""
    files = [str(path) for path in sorted(folder.glob("*.jpg"))]
    num_faces = len(files) // BATCH_SIZE * BATCH_SIZE

    def batches() -> Iterator[list[str]]:
        shuffled = random.sample(files, num_faces)
        for start in range(0, num_faces, BATCH_SIZE):
            yield shuffled[start : start + BATCH_SIZE]

    def work() -> int:
        pipeline = (
            PipelineBuilder()
            .add_source(batches())
            .pipe(_load, concurrency=NUM_WORKERS)
            .add_sink(3)
            .build(num_threads=NUM_WORKERS)
        )
        with pipeline.auto_stop():
            return sum(len(batch) for batch in pipeline)

    return work
