"""Requests to the server of a file: its bytes, its properties, and neighbouring parts at once."""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from ..._errors import ShardsError
from ...storage import ask, explain_errors, is_web, merge_ranges, retry
from .._source import Entry
from ._files import Span

_MAX_GAP_BYTES = 64 << 10
"""Largest gap between parts that one request reads: a second request takes longer than the gap."""
_MAX_MERGED_BYTES = 8 << 20
"""Largest request for several parts."""
_VERSION_FIELDS = (
    "ETag",
    "etag",
    "md5Hash",
    "LastModified",
    "Last-Modified",
    "mtime",
    "updated",
    "created",
)
"""Properties by which file systems identify the version of a file, most reliable first."""


def request_bytes(system: Any, path: str, url: str, start: int | None, stop: int | None) -> bytes:
    """Return a part of a file, or all of it.

    Raises:
        ShardsError: the file cannot be read, or more arrives than was requested.
    """
    with explain_errors(url):
        data: bytes = retry(lambda: system.cat_file(path, start=start, end=stop))
    if start is not None and stop is not None and len(data) > stop - start:
        raise ShardsError(
            f"{url}: its server sends more than was requested; download it first and give its path"
        )
    return data


def request_info(url: str, system: Any, path: str) -> dict[str, Any]:
    """Return the properties of a file as its file system reports them.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        info: dict[str, Any] = ask(url, system, system.info, path)
    except FileNotFoundError as error:
        if is_web(path) and isinstance(error.__cause__, Exception):
            raise error.__cause__ from None  # fsspec reports every failure so
        raise
    return info


def make_entry(name: str, info: dict[str, Any]) -> Entry:
    """Return the entry of a file with these properties."""
    return Entry(name, info["size"], mtime_ns=_number_version(info))


def _number_version(info: dict[str, Any]) -> int | None:
    """Return a number that identifies a file's version, in place of its modification time."""
    version = next((str(info[key]) for key in _VERSION_FIELDS if info.get(key)), None)
    if version is None:
        return None
    return int.from_bytes(hashlib.sha256(version.encode()).digest()[:7])


def is_page(info: dict[str, Any]) -> bool:
    """Return whether the server sends an HTML page."""
    return info.get("mimetype") == "text/html"


def group_spans(spans: list[Span]) -> Iterator[tuple[Span, list[Span]]]:
    """Yield the parts of files to request, each with the spans that it covers."""
    parts = [
        Span(*part)
        for part in merge_ranges(spans, max_gap=_MAX_GAP_BYTES, max_block=_MAX_MERGED_BYTES)
    ]
    covered: dict[Span, list[Span]] = {part: [] for part in parts}
    for span in spans:
        covered[parts[bisect_right(parts, (span.name, span.start, math.inf)) - 1]].append(span)
    yield from covered.items()
