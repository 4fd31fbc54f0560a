"""Where a SageMaker container finds and leaves its files, and how a job reports its failure."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from faceae.errors import FaceaeError
from faceae_shards import ShardsError

_MAX_MESSAGE = 1024
"""Characters of a failure that SageMaker shows."""


def base_folder() -> Path:
    """Return /opt/ml, or the folder that SAGEMAKER_BASE_DIR names, as for SageMaker's toolkits."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def run_reported(report: str, job: Callable[[], int]) -> int:
    """Run a job and return its exit code: 1 where a request cannot be met.

    The reason goes to stderr in one line, and to the file `report` below the base folder, which
    SageMaker shows in its console. A bug keeps its traceback.
    """
    try:
        return job()
    except (FaceaeError, ShardsError, OSError) as error:
        reason = " ".join(str(error).split())
        sys.stderr.write(f"faceae: error: {reason}\n")
        _write(report, reason)
        return 1
    except Exception as error:
        _write(report, f"{type(error).__name__}: {error}")
        raise


def _write(report: str, reason: str) -> None:
    path = base_folder() / report
    if path.parent.is_dir():
        path.write_text(reason[:_MAX_MESSAGE], encoding="utf-8")
