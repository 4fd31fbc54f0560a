"""The fixed header of `npy` samples."""

import functools
import io
import tarfile
from pathlib import Path

import numpy as np

from faceae.errors import FaceaeError

NPY_HEADER_BYTES = 128


@functools.cache
def make_npy_header(height: int, width: int) -> bytes:
    """Return the header of a height x width x 3 uint8 array in C order, as `numpy.save` writes it.

    Its length is NPY_HEADER_BYTES for any picture.
    """
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)}
    )
    return stream.getvalue()


def check_first_npy(shard: Path, image_size: tuple[int, int]) -> None:
    """Check the header of the first array in a shard, for a reader that skips headers.

    Raises:
        FaceaeError: it is not the header of an `image_size` (H, W) picture.
    """
    with tarfile.open(shard, "r:") as tar:
        for member in tar:
            if member.name.endswith(".npy"):
                stream = tar.extractfile(member)
                header = stream.read(NPY_HEADER_BYTES) if stream is not None else b""
                if header == make_npy_header(*image_size):
                    return
                break
    height, width = image_size
    raise FaceaeError(
        f"{shard} does not begin with a uint8 array of {height}x{width}x3; run `faceae verify` on "
        "the dataset"
    )
