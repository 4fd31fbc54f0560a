"""What all kinds of sources need of files: their interface, and checks that nothing changed."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from ..._errors import ShardsError
from ...images import ImageRefused
from ...storage import Location, is_url, name_of
from .._source import Container, Entry

START_BYTES = 4096
"""Bytes read from the start of a file to detect its kind."""


class Span(NamedTuple):
    """A part of a file."""

    name: str
    start: int
    stop: int
    """In bytes. A file that ends earlier is read to its end."""


class SourceFiles(Protocol):
    """Reads the files below a folder or URL by their names.

    An instance that has read nothing yet may be sent to other processes.

    Raises:
        ShardsError: the server fails or refuses, or a file changed.
        OSError: as the file system reports it.
    """

    @property
    def root(self) -> Location:
        """Folder or URL that names are relative to."""

    def locate(self, name: str) -> str:
        """Return the path or URL of a file, for messages."""

    def walk(self) -> Iterator[Entry]:
        """Yield all visible files, in any order."""

    def stat(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yield the entry of each file; its size is None where the file cannot be read."""

    def explain_missing(self, name: str) -> ImageRefused:
        """Return why `stat` found no size."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for random access."""

    def read_start(self, name: str) -> bytes:
        """Return the first `START_BYTES`."""

    def read_file(self, name: str, num_bytes: int | None = None) -> bytes:
        """Return a whole file.

        Args:
            num_bytes: listed size of the file. A changed file may be returned in part, but then
                never with this size.
        """

    def read(self, span: Span) -> bytes:
        """Return a part of a file."""

    def fetch(self, spans: Iterable[Span]) -> None:
        """Start to read parts that `read` will return before the second next call of `fetch`."""

    def close(self) -> None:
        """Release what was opened."""


def describe_container(files: SourceFiles, name: str) -> Container:
    """Return name, size and time of a file that holds many images.

    Raises:
        ShardsError: it cannot be read.
    """
    entry = next(iter(files.stat([name])))
    if entry.num_bytes is None:
        raise ShardsError(f"{files.locate(name)} cannot be read: {files.explain_missing(name)}")
    base = name_of(name) if is_url(name) else name.rpartition("/")[2]
    return Container(base, entry.num_bytes, entry.mtime_ns)


def check_unchanged(files: SourceFiles, name: str, listed: Container) -> None:
    """Check that a file that holds many images is still as it was listed.

    Raises:
        ShardsError: it changed.
    """
    if describe_container(files, name) != listed:
        raise ShardsError(f"{files.locate(name)} changed while it was packed; pack it again")
