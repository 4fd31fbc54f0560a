"""SPDL: its pipeline of threads, one list of files for each batch.

Its documentation advises `load_image_batch` where the images of a batch are known in advance. This
decoder needs FFmpeg's shared libraries on the machine, which then scale and cut. Without them the
same threads decode with torchvision, as in SPDL's example of PyTorch transforms.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import spdl.io
import torch
from spdl.io.utils import get_ffmpeg_versions
from spdl.pipeline import PipelineBuilder

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE, mirror_some, read_torchvision

_FIT = (
    f"scale=w={IMAGE_SIZE}:h={IMAGE_SIZE}:force_original_aspect_ratio=increase:flags=bilinear,"
    f"crop={IMAGE_SIZE}:{IMAGE_SIZE},format=pix_fmts=rgb24"
)


def _has_ffmpeg() -> bool:
    try:
        get_ffmpeg_versions()
    except (ImportError, OSError, RuntimeError):
        return False
    return True


HAS_FFMPEG = _has_ffmpeg()
NAME = f"SPDL, {'its own decoder' if HAS_FFMPEG else 'torchvision'}, 2 threads"


def _load(paths: list[str]) -> torch.Tensor:
    if not HAS_FFMPEG:
        return torch.stack([read_torchvision(Path(path)) for path in paths])
    buffer = spdl.io.load_image_batch(paths, width=None, height=None, filter_desc=_FIT)
    return mirror_some(spdl.io.to_torch(buffer))


def open_spdl(folder: Path) -> Epoch:
    """Read loose JPEGs with as many threads as workers."""
    files = [str(path) for path in sorted(folder.glob("*.jpg"))]
    num_faces = len(files) // BATCH_SIZE * BATCH_SIZE

    def lists() -> Iterator[list[str]]:
        shuffled = random.sample(files, num_faces)
        for start in range(0, num_faces, BATCH_SIZE):
            yield shuffled[start : start + BATCH_SIZE]

    def epoch() -> Iterator[torch.Tensor]:
        pipeline = (
            PipelineBuilder()
            .add_source(lists())
            .pipe(_load, concurrency=NUM_WORKERS)
            .add_sink(3)
            .build(num_threads=NUM_WORKERS)
        )
        count = 0
        with pipeline.auto_stop():
            for batch in pipeline:
                count += len(batch)
                yield batch
        assert count == num_faces, "SPDL drops what it cannot decode"

    return epoch
