"""Files of figures in a run's folder: JSON objects with a format and a version."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from faceae.errors import FaceaeError

Record = TypeVar("Record")


def read_figures(
    path: Path,
    file_format: str,
    version: int,
    build: Callable[[dict[str, Any]], Record],
    *,
    remedy: str,
) -> Record:
    """Return a record of the fields of a file of figures.

    Args:
        build: makes the record of all fields but `format` and `version`, which it may change. Where
            fields are missing or of another type, it raises KeyError, AttributeError, TypeError or
            ValueError.
        remedy: what writes the file again, for the message.

    Raises:
        FaceaeError: the file is damaged, foreign, or of another version.
        OSError: it cannot be read.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if (fields.pop("format"), fields.pop("version")) != (file_format, version):
            raise ValueError(f"not {file_format} version {version}")
        return build(fields)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{path}: damaged, or written by another faceae ({error}); {remedy}"
        ) from error
