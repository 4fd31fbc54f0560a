"""What a source of photographs is: images listed once, by the process that plans, and a reader.

Workers read single images; each opens a reader of its own.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ._manifest import hash_json

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"},
)
"""Of the files that are taken for images, in any case; what they hold is checked by decoding."""


class Entry(NamedTuple):
    """One image file of a source, as it was listed."""

    name: str
    """Path inside the source, POSIX; what the sample's json says."""
    num_bytes: int | None
    """None: a listed file that is not there."""
    crc: int | None = None
    """Of a zip's member."""
    mtime_ns: int | None = None
    """Of a file."""
    place: tuple[int, ...] = ()
    """Where in an archive the reader finds it."""
    split: str | None = None
    """Where the source itself says so."""


class Container(NamedTuple):
    """A file that holds many images."""

    name: str
    num_bytes: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """A listed source."""

    kind: str
    """folder, zip, list, tar, or shards: several tars, whose images bring their own json."""
    path: Path
    entries: tuple[Entry, ...]
    """The images, in a fixed order."""
    others: tuple[Entry, ...]
    """Files that are not named like images: annotations perhaps, or nothing of use."""
    open_reader: "Callable[[], Reader]"
    """Returns what reads the images; workers receive it before they use it."""
    containers: tuple[Container, ...] = ()
    """Of a source whose listing holds no checksums: the files it was made from."""
    fields: tuple[str, ...] = ()
    """What the images' own json brings besides the attributes' names, by the first image."""
    attribute_names: tuple[str, ...] = ()

    def hash_listing(self, *, with_times: bool) -> str:
        """Return a sha256 that changes with the names, sizes and checksums of the images.

        Args:
            with_times: also with the time each file was last changed.
        """
        rows = [
            [escape(e.name), e.num_bytes, e.crc, e.mtime_ns if with_times else None]
            for e in self.entries
        ]
        content: list[Any] = [self.kind, rows, len(self.others)]
        if self.containers:
            content.append([c if with_times else c[:2] for c in self.containers])
        return hash_json(content)


class Reader(Protocol):
    """Reads one source's files; picklable while unused."""

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes.

        Raises:
            ImageRefused: this file alone cannot be read.
            ShardsError: it is not the file that was listed.
            OSError: the source as a whole fails.
        """

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return what the source itself says of an image, as its sample's json holds it.

        Raises:
            ImageRefused: what it says cannot be read.
        """

    def close(self) -> None:
        """Release what `read` opened."""


def escape(name: str) -> str:
    r"""Return a file name that JSON can hold: bytes that are not UTF-8 become `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_image_name(name: str) -> bool:
    """Tell an image by its suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_hidden(name: str) -> bool:
    """Tell the files and folders that systems hide or leave, by the last part of their path."""
    return name.startswith(".") or name == "__MACOSX"
