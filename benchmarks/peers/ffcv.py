"""FFCV's file format and loader. It is optional: pip must build it (`make peers`)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import simplejpeg
from ffcv.fields import RGBImageField
from ffcv.fields.rgb_image import CenterCropRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import RandomHorizontalFlip, ToTensor
from ffcv.writer import DatasetWriter
from numpy.typing import NDArray

from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE


class _Faces:
    def __init__(self, paths: Sequence[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8]]:
        return (simplejpeg.decode_jpeg(self.paths[index].read_bytes()),)


def open_ffcv(loose: Path, out: Path) -> Callable[[], int]:
    """Write FFCV's file with JPEGs of quality 90; FFCV decodes, crops, scales and mirrors them."""
    writer = DatasetWriter(
        str(out), {"image": RGBImageField(write_mode="jpg", jpeg_quality=90)}, num_workers=1
    )
    writer.from_indexed_dataset(_Faces(sorted(loose.glob("*.jpg"))))
    size = (IMAGE_SIZE, IMAGE_SIZE)
    fit = [CenterCropRGBImageDecoder(size, 1.0), RandomHorizontalFlip(), ToTensor()]
    loader = Loader(
        str(out),
        batch_size=BATCH_SIZE,
        num_workers=NUM_WORKERS,
        order=OrderOption.RANDOM,
        drop_last=True,
        pipelines={"image": fit},
    )
    return lambda: sum(len(batch) for (batch,) in loader)
