"""Files behind URLs, read by many requests at once.

A server needs tens of milliseconds for any answer. Threads therefore fetch ahead what will be read
soon, and one request fetches neighbouring parts of a file.
"""

import io
import posixpath
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
    connect,
    explain_errors,
    is_url,
    is_web,
    retry,
)
from .._source import Entry, is_hidden
from ._files import START_BYTES, Span
from ._range_file import RangeFile
from ._requests import group_spans, is_page, make_entry, request_bytes, request_info

_BUFFER_BYTES = 4 << 20
"""Bytes read ahead while an archive is listed."""


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
                yield make_entry(name, info)

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
        if is_page(info):
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

        def read_part(start: int, stop: int) -> bytes:
            return self.read(Span(name, start, stop))

        raw = RangeFile(read_part, num_bytes)
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
            return request_bytes(system, path, self.locate(name), None, None)
        return self.read(Span(name, 0, num_bytes + 1)) if num_bytes else b""

    def read(self, span: Span) -> bytes:
        """Return a part of a file: fetched ahead, or requested now."""
        ahead = self._ahead.get(span) or self._older.get(span)
        if ahead is None:
            system, path = self._reach(span.name)
            return request_bytes(system, path, self.locate(span.name), span.start, span.stop)
        future, start = ahead
        return future.result()[span.start - start : span.stop - start]

    def fetch(self, spans: Iterable[Span]) -> None:
        """Start to read parts of files; parts of the second last call are dropped."""
        self._older, self._ahead = self._ahead, {}
        for part, covered in group_spans(list(spans)):
            system, path = self._reach(part.name)
            future = self._get_executor().submit(
                request_bytes, system, path, self.locate(part.name), part.start, part.stop
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
                return retry(lambda: request_info(url, system, path))
        except NotThere:
            return None

    def _stat(self, name: str) -> Entry:
        try:
            info = self._find(name)
        except AccessRefused:
            return Entry(name, None)
        if info is None or is_page(info):
            return Entry(name, None)
        if info["size"] is None:
            info["size"] = len(self.read_file(name))
        return make_entry(name, info)

    def _require_size(self, name: str) -> int:
        url = self.locate(name)
        info = self._find(name)
        if info is None:
            raise ShardsError(f"{url} does not exist; check the address")
        if is_page(info):
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
