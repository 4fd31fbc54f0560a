"""Files behind URLs, read by many requests at once.

A server needs tens of milliseconds for any answer. Threads therefore fetch ahead what will be read
soon, and one request fetches neighbouring parts of a file.
"""

import hashlib
import io
import math
import posixpath
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlsplit, urlunsplit

from ..._errors import ShardsError
from ...images import ImageRefused
from ...storage import (
    MAX_REQUESTS,
    AccessRefused,
    NotThere,
    ask,
    connect,
    explain_errors,
    is_url,
    is_web,
    merge_ranges,
    retry,
)
from .._source import Entry, is_hidden
from ._files import START_BYTES, Span

_BUFFER_BYTES = 4 << 20
"""Bytes read ahead while an archive is listed."""
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


def parent_of(url: str) -> str:
    """Return the URL of a file's folder, without a slash at its end."""
    if not is_web(url):
        return url.rstrip("/").rpartition("/")[0]
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, posixpath.dirname(parts.path), "", ""))


@dataclass
class RemoteFiles:
    """Files below a URL; a name may also be a whole URL. See `SourceFiles`."""

    root: str
    """Without a slash at its end."""
    _systems: dict[str, Any] = field(default_factory=dict)
    """fsspec file systems by scheme."""
    _executor: ThreadPoolExecutor | None = None
    _ahead: dict[Span, tuple[Future[bytes], int]] = field(default_factory=dict)
    """For each part that is fetched: the request that covers it, and where that request starts."""
    _older: dict[Span, tuple[Future[bytes], int]] = field(default_factory=dict)

    def locate(self, name: str) -> str:
        """Return the URL."""
        if is_url(name):
            return name
        root = self.root
        while name.startswith("../"):
            root, name = parent_of(root), name[3:]
        return f"{root}/{quote(name) if is_web(root) else name}"

    def detect_kind(self, url: str) -> str | None:
        """Return `folder`, `file`, or None; see `_open_files.detect_kind`."""
        if is_web(url):
            if urlsplit(url).path.endswith("/"):
                raise ShardsError(
                    f"{url} is a folder, and web servers list none; "
                    "give a zip, a tar, or a text file of URLs"
                )
            return "file"
        info = self._find(url)
        return None if info is None else "folder" if info["type"] == "directory" else "file"

    def walk(self) -> Iterator[Entry]:
        """Yield all visible files; one request lists them."""
        system, path = self._reach(self.root)
        with explain_errors(self.root):
            found = retry(lambda: system.find(path, detail=True))
        for key, info in found.items():
            name = key[len(path) :].lstrip("/")
            is_file = info["type"] == "file" and name and not name.endswith("/")
            if is_file and not any(map(is_hidden, name.split("/"))):
                yield _make_entry(name, info)

    def stat(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yield the entry of each file; its size is None where it cannot be read."""
        names = list(names)
        self._reach_all(names)
        return self._get_executor().map(self._stat, names)

    def explain_missing(self, name: str) -> ImageRefused:
        """Ask the server again and return its reason."""
        try:
            info = self._find(name)
        except AccessRefused as error:
            return ImageRefused("unreadable", str(error))
        if info is None:
            return ImageRefused("missing", "there is no such file")
        if _is_page(info):
            return ImageRefused("not an image", "the server sends an HTML page in its place")
        raise ShardsError(f"{self.locate(name)} changed while it was packed; pack it again")

    def open(self, name: str) -> BinaryIO:
        """Open a file for random access; only what is read, and 4 MiB ahead, is requested.

        Raises:
            ShardsError: it does not exist, or its server sends only whole files.
        """
        url = self.locate(name)
        num_bytes = self._require_size(name)
        if is_web(url) and num_bytes > 1 and not self._serves_parts(url, num_bytes):
            raise ShardsError(
                f"{url}: its server sends only whole files (it answers no Range requests); "
                "download it first and give its path"
            )
        raw = _RangeFile(self, name, num_bytes)
        return cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES))

    def read_start(self, name: str) -> bytes:
        """Return its first bytes, even from a server that sends only whole files."""
        system, path = self._reach(name)
        num_bytes = self._require_size(name)
        if not num_bytes:
            return b""

        def read() -> bytes:
            with system.open(path, "rb", cache_type="none", size=num_bytes) as file:
                start: bytes = file.read(min(START_BYTES, num_bytes))
                return start

        with explain_errors(self.locate(name)):
            return retry(read)

    def read_file(self, name: str, num_bytes: int | None = None) -> bytes:
        """Return a whole file."""
        if num_bytes is None:
            system, path = self._reach(name)
            return _read(system, path, self.locate(name), None, None)
        return self.read(Span(name, 0, num_bytes + 1)) if num_bytes else b""

    def read(self, span: Span) -> bytes:
        """Return a part of a file: fetched ahead, or requested now."""
        ahead = self._ahead.get(span) or self._older.get(span)
        if ahead is None:
            system, path = self._reach(span.name)
            return _read(system, path, self.locate(span.name), span.start, span.stop)
        future, start = ahead
        return future.result()[span.start - start : span.stop - start]

    def fetch(self, spans: Iterable[Span]) -> None:
        """Start to read parts of files; parts of the second last call are dropped."""
        self._older, self._ahead = self._ahead, {}
        for part, covered in _group(list(spans)):
            system, path = self._reach(part.name)
            future = self._get_executor().submit(
                _read, system, path, self.locate(part.name), part.start, part.stop
            )
            self._ahead.update(dict.fromkeys(covered, (future, part.start)))

    def close(self) -> None:
        """Drop the fetched parts and end the threads."""
        self._ahead, self._older = {}, {}
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _reach(self, name: str) -> tuple[Any, str]:
        """Return the file system of a file and the file's path in it.

        All threads share one file system; fsspec would create one for each thread.
        """
        url = self.locate(name)
        scheme = url.partition("://")[0]
        if scheme not in self._systems:
            self._systems[scheme] = connect(url)[0]
        system = self._systems[scheme]
        return system, system._strip_protocol(url)

    def _reach_all(self, names: list[str]) -> None:
        for name in {self.locate(name).partition("://")[0]: name for name in names}.values():
            self._reach(name)

    def _get_executor(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(MAX_REQUESTS)
        return self._executor

    def _find(self, name: str) -> dict[str, Any] | None:
        """Return the properties of a file as the server reports them; None where it does not exist.

        Raises:
            AccessRefused: the server refuses access.
            ShardsError: the server cannot be reached, or fails.
        """
        system, path = self._reach(name)
        url = self.locate(name)
        try:
            with explain_errors(url):
                return retry(lambda: _ask(url, system, path))
        except NotThere:
            return None

    def _stat(self, name: str) -> Entry:
        try:
            info = self._find(name)
        except AccessRefused:
            return Entry(name, None)
        if info is None or _is_page(info):
            return Entry(name, None)
        if info["size"] is None:
            info["size"] = len(self.read_file(name))
        return _make_entry(name, info)

    def _require_size(self, name: str) -> int:
        url = self.locate(name)
        info = self._find(name)
        if info is None:
            raise ShardsError(f"{url} does not exist; check the address")
        if _is_page(info):
            raise ShardsError(
                f"{url} is an HTML page, a login perhaps, or a download that was refused; "
                "open it in a browser to read why"
            )
        if info["size"] is None:
            raise ShardsError(
                f"{url}: its server reports no size; download it first and give its path"
            )
        num_bytes: int = info["size"]
        return num_bytes

    def _serves_parts(self, url: str, num_bytes: int) -> bool:
        system, path = self._reach(url)

        def read() -> bool:
            with system.open(path, "rb", cache_type="none", size=num_bytes) as file:
                file.seek(1)
                try:
                    return len(file.read(1)) == 1
                except ValueError:  # fsspec raises it where a server ignores Range
                    return False

        with explain_errors(url):
            return retry(read)


class _RangeFile(io.RawIOBase):
    """Lets the standard library read a file behind a URL; `io.BufferedReader` reads ahead.

    fsspec's own files with their read-ahead cache are no substitute: they raise ValueError for a
    seek before the start, which `zipfile.is_zipfile` does not expect, they make no request again,
    and a subclass that does so costs every worker the import of fsspec.
    """

    def __init__(self, files: RemoteFiles, name: str, num_bytes: int) -> None:
        super().__init__()
        self._files, self._name, self._num_bytes = files, name, num_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._num_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        stop = min(self._position + len(buffer), self._num_bytes)
        if stop <= self._position:
            return 0
        data = self._files.read(Span(self._name, self._position, stop))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _read(system: Any, path: str, url: str, start: int | None, stop: int | None) -> bytes:
    with explain_errors(url):
        data: bytes = retry(lambda: system.cat_file(path, start=start, end=stop))
    if start is not None and stop is not None and len(data) > stop - start:
        raise ShardsError(
            f"{url}: its server sends more than was requested; download it first and give its path"
        )
    return data


def _ask(url: str, system: Any, path: str) -> dict[str, Any]:
    try:
        info: dict[str, Any] = ask(url, system, system.info, path)
    except FileNotFoundError as error:
        if is_web(path) and isinstance(error.__cause__, Exception):
            raise error.__cause__ from None  # fsspec reports every failure so
        raise
    return info


def _make_entry(name: str, info: dict[str, Any]) -> Entry:
    return Entry(name, info["size"], mtime_ns=_number_version(info))


def _number_version(info: dict[str, Any]) -> int | None:
    """Return a number that identifies a file's version, in place of its modification time."""
    version = next((str(info[key]) for key in _VERSION_FIELDS if info.get(key)), None)
    if version is None:
        return None
    return int.from_bytes(hashlib.sha256(version.encode()).digest()[:7])


def _is_page(info: dict[str, Any]) -> bool:
    return info.get("mimetype") == "text/html"


def _group(spans: list[Span]) -> Iterator[tuple[Span, list[Span]]]:
    """Yield the parts of files to request, each with the spans that it covers."""
    parts = [
        Span(*part)
        for part in merge_ranges(spans, max_gap=_MAX_GAP_BYTES, max_block=_MAX_MERGED_BYTES)
    ]
    covered: dict[Span, list[Span]] = {part: [] for part in parts}
    for span in spans:
        covered[parts[bisect_right(parts, (span.name, span.start, math.inf)) - 1]].append(span)
    yield from covered.items()
