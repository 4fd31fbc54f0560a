"""FFCV's file format and loader. It is optional: pip must build it (`make peers`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg
from ffcv.fields import RGBImageField
from ffcv.fields.rgb_image import CenterCropRGBImageDecoder, SimpleRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.pipeline.operation import Operation
from ffcv.transforms import RandomHorizontalFlip, ToTensor
from ffcv.writer import DatasetWriter
from numpy.typing import NDArray

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE


class _Faces:
    """Images by number, decoded from files or taken from an array."""

    def __init__(self, images: Sequence[Path] | NDArray[np.uint8]):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8]]:
        image = self.images[index]
        return (simplejpeg.decode_jpeg(image.read_bytes()) if isinstance(image, Path) else image,)


def open_jpegs(loose: Path, out: Path) -> Epoch:
    """Write FFCV's file with JPEGs of quality 90; FFCV decodes, crops, scales and mirrors them."""
    field = RGBImageField(write_mode="jpg", jpeg_quality=90)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return _open(
        _Faces(sorted(loose.glob("*.jpg"))), out, field, CenterCropRGBImageDecoder(size, 1.0)
    )


def open_arrays(arrays: Path, out: Path) -> Epoch:
    """Write FFCV's file with raw pixels, N x S x S x 3 uint8; FFCV mirrors them."""
    faces = np.load(arrays, mmap_mode="r")
    return _open(_Faces(faces), out, RGBImageField(write_mode="raw"), SimpleRGBImageDecoder())


def _open(faces: _Faces, out: Path, field: RGBImageField, decoder: Operation) -> Epoch:
    """Write and open a file. The tuning guide advises these settings for a set that fits memory."""
    DatasetWriter(str(out), {"image": field}, num_workers=1).from_indexed_dataset(faces)
    loader = Loader(
        str(out),
        batch_size=BATCH_SIZE,
        num_workers=NUM_WORKERS,
        os_cache=True,
        order=OrderOption.RANDOM,
        drop_last=True,
        pipelines={"image": [decoder, RandomHorizontalFlip(), ToTensor()]},
    )
    return lambda: (images for (images,) in loader)
