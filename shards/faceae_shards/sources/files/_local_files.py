"""Files below a folder of this machine."""

import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..._errors import ShardsError
from ...images import ImageRefused
from .._source import Entry, is_hidden
from ._files import START_BYTES, Span

_MAX_OPEN = 64
"""Files held open at once."""
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
"""Kinds of files that a read could block on."""


@dataclass
class LocalFiles:
    """Files below a folder; see `SourceFiles`."""

    root: Path
    _files: dict[str, BinaryIO] = field(default_factory=dict)

    def locate(self, name: str) -> str:
        """Return the path."""
        return str(self.root / name)

    def walk(self) -> Iterator[Entry]:
        """Yield all visible files. Links are followed unless they lead to a folder above."""
        return _walk(self.root, "", frozenset())

    def stat(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yield the entry of each file."""
        return (_stat_entry(name, self.root / name) for name in names)

    def explain_missing(self, name: str) -> ImageRefused:
        """Return whether the file is missing, or is a pipe, a socket or a device."""
        try:
            kind = stat.S_IFMT((self.root / name).stat().st_mode)
        except OSError:
            return ImageRefused("missing", "there is no such file")
        if kind in _SPECIAL:
            return ImageRefused("unreadable", f"it is {_SPECIAL[kind]}, not a file")
        raise ShardsError(f"{self.locate(name)} changed while it was packed; pack it again")

    def open(self, name: str) -> BinaryIO:
        """Open a file."""
        return (self.root / name).open("rb")

    def read_start(self, name: str) -> bytes:
        """Return its first bytes."""
        with self.open(name) as file:
            return file.read(START_BYTES)

    def read_file(self, name: str, num_bytes: int | None = None) -> bytes:
        """Return a whole file."""
        # Every image goes through here: pathlib would take longer than the file system.
        with io.FileIO(os.path.join(self.root, name)) as file:  # noqa: PTH118
            return file.readall()

    def read(self, span: Span) -> bytes:
        """Return a part of a file and keep the file open."""
        if span.name not in self._files:
            if len(self._files) >= _MAX_OPEN:
                self.close()
            self._files[span.name] = self.open(span.name)
        file = self._files[span.name]
        file.seek(span.start)
        return file.read(span.stop - span.start)

    def fetch(self, spans: Iterable[Span]) -> None:
        """Do nothing: the operating system reads ahead."""

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as children:
        for child in children:
            if is_hidden(child.name):
                continue
            if _is_folder(child):
                yield from _walk(Path(child), f"{prefix}{child.name}/", above | {identity})
            else:
                yield _stat_entry(prefix + child.name, child)


def _is_folder(child: "os.DirEntry[str]") -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link to itself
        return False


def _stat_entry(name: str, path: "os.PathLike[str]") -> Entry:
    try:
        status = os.stat(path)  # noqa: PTH116  # for a DirEntry, whose own method may be outdated
    except (FileNotFoundError, NotADirectoryError):
        return Entry(name, None)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        return Entry(name, None)
    if stat.S_IFMT(status.st_mode) in _SPECIAL:
        return Entry(name, None)
    return Entry(name, status.st_size, mtime_ns=status.st_mtime_ns)
