"""YuNet, run by OpenCV.

H x W x 3 arrays are uint8, RGB.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import ShardsError
from ._face import Face
from ._opencv import load_cv2
from ._weights import read_weights

_MIN_SCORE = 0.5
"""Least confidence of a face in the small copy."""
_MAX_OVERLAP = 0.3
"""Of two boxes whose intersection over union is larger, only the surer one is kept."""
_MAX_FACES = 5000
_SILENT = 0
"""OpenCV's log level without messages."""

_local = threading.local()
"""Each thread has its own detector, because a detector keeps the size of its input."""


def run_yunet(image_HWC: NDArray[np.uint8]) -> list[Face]:
    """Return the faces in a picture of at least 16 x 16 pixels, by falling confidence.

    The network sees faces of about 10 to 300 pixels.

    Raises:
        ShardsError: as `check_detector`.
    """
    detector = _get_detector()
    height, width, _ = image_HWC.shape
    detector.setInputSize((width, height))
    rows = detector.detect(np.ascontiguousarray(image_HWC[:, :, ::-1]))[1]  # OpenCV takes BGR
    return [] if rows is None else [_read_row(row) for row in rows if np.isfinite(row).all()]


def check_detector() -> str:
    """Check that faces can be detected, and return OpenCV's version, which decides the pixels.

    Raises:
        ShardsError: OpenCV or the weights are missing, or OpenCV is too old for them.
    """
    _get_detector()
    version: str = load_cv2().__version__
    return version


@contextmanager
def limit_to_one_core() -> Iterator[None]:
    """Let OpenCV use one core during the block, for processes of which each core has one."""
    cv2 = load_cv2()
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _get_detector() -> Any:
    if not hasattr(_local, "detector"):
        _local.detector = _make_detector()
    return _local.detector


def _make_detector() -> Any:
    cv2 = load_cv2()
    model = np.frombuffer(read_weights(), np.uint8)
    logging = cv2.utils.logging
    level = logging.setLogLevel(_SILENT)  # OpenCV 5 warns about an option that it sets itself
    try:
        empty = np.empty(0, np.uint8)
        return cv2.FaceDetectorYN.create(
            "onnx", model, empty, (320, 320), _MIN_SCORE, _MAX_OVERLAP, _MAX_FACES
        )
    except cv2.error as error:
        raise ShardsError(
            f"OpenCV {cv2.__version__} cannot run the face detector; it needs 4.11 or later: "
            "pip install 'faceae[align]'"
        ) from error
    finally:
        logging.setLogLevel(level)


def _read_row(row: NDArray[np.float32]) -> Face:
    x, y, width, height = (float(value) for value in row[:4])
    landmarks = row[4:14].reshape(5, 2).astype(np.float64)
    return Face(box=(x, y, width, height), score=float(row[14]), landmarks=landmarks)
