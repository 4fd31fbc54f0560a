"""Choice of the reply's format by the Accept header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ._bodies import JSON, NPY, PICTURES
from ._problem import Problem
from ._tasks import TaskRequest

ZIP = "application/zip"
GIF = "image/gif"
PNG = "image/png"
JPEG = "image/jpeg"
FACES_TYPES = (JSON, NPY, PNG, JPEG, GIF, ZIP)
LATENTS_TYPES = (JSON, NPY)

_DTYPE = re.compile(r"dtype=\"?(\w+)\"?$")
_Dtype = Literal["uint8", "float32"]


@dataclass(frozen=True, kw_only=True)
class ReplyFormat:
    """Format of a reply."""

    media_type: str
    is_tensor: bool
    """With .npy and JSON: whether faces are floats, N x 3 x S x S in [-1, 1]. Otherwise they are
    bytes, N x S x S x 3."""


def choose_format(accept: str, request: TaskRequest, media_type: str) -> ReplyFormat:
    """Return the format that a client accepts best.

    Args:
        accept: the header; empty if there is none.
        media_type: of the request's body. Without a wish of the client, the reply is alike.

    Raises:
        Problem: the client accepts no format that the task has.
    """
    offered: tuple[str, ...] = FACES_TYPES if request.task.gives == "faces" else LATENTS_TYPES
    first = _default_type(request, media_type)
    offered = (first, *(each for each in offered if each != first))
    for wanted, parameters in _sort(accept or "*/*"):
        found = next((each for each in offered if _matches(each, wanted)), None)
        if found is not None:
            dtype = _read_dtype(parameters)
            is_tensor = request.is_tensor if dtype is None else dtype == "float32"
            return ReplyFormat(media_type=found, is_tensor=is_tensor)
    raise Problem(
        406, f"{request.task.name} replies as {', '.join(offered)}; `Accept` allows none of them"
    )


def _default_type(request: TaskRequest, media_type: str) -> str:
    if media_type == NPY:
        return NPY
    if media_type in PICTURES and request.task.gives == "faces":
        return PNG
    return JSON


@lru_cache(256)
def _sort(accept: str) -> list[tuple[str, Sequence[str]]]:
    """Return the media ranges of a header with their parameters, the most wanted first."""
    ranges = []
    for entry in accept.split(","):
        wanted, *parameters = [part.strip().lower() for part in entry.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                quality = _read_quality(parameter[2:])
        if quality > 0:
            ranges.append((quality, wanted, parameters))
    ranges.sort(key=lambda each: -each[0])
    return [(wanted, parameters) for _, wanted, parameters in ranges]


def _read_quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _matches(offered: str, wanted: str) -> bool:
    if wanted in ("*/*", "*", offered):
        return True
    return wanted.endswith("/*") and offered.startswith(wanted[:-1])


def _read_dtype(parameters: Sequence[str]) -> _Dtype | None:
    for parameter in parameters:
        match = _DTYPE.match(parameter)
        if match is None:
            continue
        if match[1] == "uint8":
            return "uint8"
        if match[1] == "float32":
            return "float32"
        raise Problem(406, f"`dtype` of a .npy reply is uint8 or float32, got {match[1][:20]!r}")
    return None
