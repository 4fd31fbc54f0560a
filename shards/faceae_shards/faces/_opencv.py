"""OpenCV, imported at its first use, because the import takes a tenth of a second."""

import importlib
from typing import Any

from .._errors import ShardsError

_REMEDY = "pip install --force-reinstall --no-deps opencv-python-headless"


def load_cv2() -> Any:
    """Return the module cv2.

    Raises:
        ShardsError: it is missing, or damaged. `pip uninstall opencv-python` damages it: that
            deletes the files of opencv-python-headless, too.
    """
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        raise ShardsError(f"OpenCV cannot be imported ({error}): {_REMEDY}") from error
    if not hasattr(cv2, "FaceDetectorYN"):
        raise ShardsError(f"OpenCV is damaged or has no face detector: {_REMEDY}")
    return cv2
