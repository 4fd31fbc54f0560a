"""Files by their names, below a folder of this machine or below a URL: whole or in parts."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from .._errors import ShardsError
from ..images import ImageRefused
from ..storage import Location, is_url, name_of
from ._source import Container, Entry, is_hidden

START_BYTES = 4096
"""What is read of a file to tell what it is."""

_MAX_OPEN = 64
"""Files that are held open at once."""
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
"""Kinds of files that could block who reads them."""


class Span(NamedTuple):
    """A part of a file."""

    name: str
    start: int
    stop: int
    """In bytes; where the file ends earlier, so does what is read."""


class SourceFiles(Protocol):
    """Reads files by name; what is not ours to mend is a ShardsError or an OSError.

    Copies of one that has read nothing yet may go to other processes.
    """

    @property
    def root(self) -> Location:
        """What names are relative to."""

    def locate(self, name: str) -> str:
        """Return where a file is, for messages."""

    def walk(self) -> Iterator[Entry]:
        """Yield all visible files, in any order."""

    def stat(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yield the entry of each file, without a size where none can be read."""

    def explain_missing(self, name: str) -> ImageRefused:
        """Return why `stat` told no size."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to read here and there in it."""

    def read_start(self, name: str) -> bytes:
        """Return the first `START_BYTES`."""

    def read_file(self, name: str, num_bytes: int | None = None) -> bytes:
        """Return a file whole, or another number of bytes than told where it changed."""

    def read(self, span: Span) -> bytes:
        """Return a part of a file."""

    def fetch(self, spans: Iterable[Span]) -> None:
        """Begin to read what `read` will be asked for before the next but one call of this."""

    def close(self) -> None:
        """Release what was opened."""


@dataclass
class LocalFiles:
    """Files below a folder; see `SourceFiles`."""

    root: Path
    _files: dict[str, BinaryIO] = field(default_factory=dict)

    def locate(self, name: str) -> str:
        """Return the path."""
        return str(self.root / name)

    def walk(self) -> Iterator[Entry]:
        """Yield all visible files; a link to a folder above itself is not followed."""
        return _walk(self.root, "", frozenset())

    def stat(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yield the entry of each file."""
        return (_stat_entry(name, self.root / name) for name in names)

    def explain_missing(self, name: str) -> ImageRefused:
        """Tell what is there in place of a file."""
        try:
            kind = stat.S_IFMT((self.root / name).stat().st_mode)
        except OSError:
            return ImageRefused("missing", "there is no such file")
        if kind in _SPECIAL:
            return ImageRefused("unreadable", f"it is {_SPECIAL[kind]}, not a file")
        raise ShardsError(f"{self.locate(name)} changed while it was packed; pack anew")

    def open(self, name: str) -> BinaryIO:
        """Open a file."""
        return (self.root / name).open("rb")

    def read_start(self, name: str) -> bytes:
        """Return its first bytes."""
        with self.open(name) as file:
            return file.read(START_BYTES)

    def read_file(self, name: str, num_bytes: int | None = None) -> bytes:
        """Return a file whole."""
        return (self.root / name).read_bytes()

    def read(self, span: Span) -> bytes:
        """Return a part of a file, which stays open."""
        if span.name not in self._files:
            if len(self._files) >= _MAX_OPEN:
                self.close()
            self._files[span.name] = self.open(span.name)
        file = self._files[span.name]
        file.seek(span.start)
        return file.read(span.stop - span.start)

    def fetch(self, spans: Iterable[Span]) -> None:
        """Do nothing: the system reads ahead by itself."""

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def open_files(folder: Location) -> SourceFiles:
    """Return what reads the files below a folder or a URL."""
    if isinstance(folder, Path):
        return LocalFiles(folder)
    from ._remote_files import RemoteFiles

    return RemoteFiles(folder.rstrip("/"))


def open_beside(location: Location) -> tuple[SourceFiles, str]:
    """Return what reads a file and its neighbours, and the file's name in there."""
    if isinstance(location, Path):
        return LocalFiles(location.parent), location.name
    from ._remote_files import RemoteFiles, parent_of

    return RemoteFiles(parent_of(location)), location  # whose query is no part of a name


def detect_kind(location: Location) -> str | None:
    """Return `folder`, `file`, or None where there is nothing.

    Raises:
        ShardsError: a server cannot be reached, refuses, or lists no folders.
    """
    if isinstance(location, Path):
        return "folder" if location.is_dir() else "file" if location.is_file() else None
    from ._remote_files import RemoteFiles

    return RemoteFiles("").detect_kind(location)


def describe_container(files: SourceFiles, name: str) -> Container:
    """Return what changes with a file that holds many images."""
    entry = next(iter(files.stat([name])))
    if entry.num_bytes is None:
        raise ShardsError(f"{files.locate(name)} cannot be read: {files.explain_missing(name)}")
    base = name_of(name) if is_url(name) else name.rpartition("/")[2]
    return Container(base, entry.num_bytes, entry.mtime_ns)


def check_unchanged(files: SourceFiles, name: str, listed: Container) -> None:
    """Compare a file that holds many images with what it was.

    Raises:
        ShardsError: it is another now.
    """
    if describe_container(files, name) != listed:
        raise ShardsError(f"{files.locate(name)} changed while it was packed; pack anew")


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as children:
        for child in children:
            if is_hidden(child.name):
                continue
            if child.is_dir():
                yield from _walk(Path(child), f"{prefix}{child.name}/", above | {identity})
            else:
                yield _stat_entry(prefix + child.name, Path(child))


def _stat_entry(name: str, path: Path) -> Entry:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Entry(name, None)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        return Entry(name, None)
    if stat.S_IFMT(status.st_mode) in _SPECIAL:
        return Entry(name, None)
    return Entry(name, status.st_size, mtime_ns=status.st_mtime_ns)
