"""DALI's own pipeline for images, as its documentation has it, with everything on the CPU.

The pipeline reads files, decodes, scales the shorter side, cuts the centre and mirrors at random.
Its `decoders.image_crop`, which decodes the centre alone, was a tenth faster in four trials; it
needs images of one size.
"""

from pathlib import Path
from typing import Any

from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.plugin.base_iterator import LastBatchPolicy
from nvidia.dali.plugin.pytorch import DALIGenericIterator

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE


@pipeline_def
def _read_faces(files: list[str]) -> Any:
    encoded, _ = fn.readers.file(
        files=files, labels=[0] * len(files), random_shuffle=True, name="faces"
    )
    images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
    images = fn.resize(images, resize_shorter=IMAGE_SIZE, interp_type=types.INTERP_LINEAR)
    return fn.crop_mirror_normalize(
        images,
        dtype=types.UINT8,
        output_layout="HWC",
        crop=(IMAGE_SIZE, IMAGE_SIZE),
        mirror=fn.random.coin_flip(probability=0.5),
    )


def open_dali(folder: Path) -> Epoch:
    """Read loose JPEGs."""
    files = [str(path) for path in sorted(folder.glob("*.jpg"))]
    pipeline = _read_faces(
        files, batch_size=BATCH_SIZE, num_threads=NUM_WORKERS, device_id=None, seed=0
    )
    loader = DALIGenericIterator(
        [pipeline],
        ["images"],
        reader_name="faces",
        last_batch_policy=LastBatchPolicy.DROP,
        auto_reset=True,
    )
    return lambda: (batch["images"] for (batch,) in loader)
