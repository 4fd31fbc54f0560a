"""SPDL: its pipeline of threads, one list of files for each batch.

Its documentation advises `load_image_batch` where the images of a batch are known in advance. This
decoder needs FFmpeg's shared libraries on the machine, which then scale and cut. The other way is
that of SPDL's example of PyTorch transforms: the same threads decode with torchvision.
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


def _load_by_torchvision(paths: list[str]) -> torch.Tensor:
    return torch.stack([read_torchvision(Path(path)) for path in paths])


def _load_by_ffmpeg(paths: list[str]) -> torch.Tensor:
    buffer = spdl.io.load_image_batch(paths, width=None, height=None, filter_desc=_FIT)
    return mirror_some(spdl.io.to_torch(buffer))


DECODERS = {"torchvision": _load_by_torchvision}
if _has_ffmpeg():
    DECODERS["its own decoder"] = _load_by_ffmpeg


def open_spdl(folder: Path, decoder: str) -> Epoch:
    """Read loose JPEGs with as many threads as workers; the decoder is one of `DECODERS`."""
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
            .pipe(DECODERS[decoder], concurrency=NUM_WORKERS)
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
