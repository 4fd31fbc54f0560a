"""Where photographs come from: a folder, a zip, a text file of paths.

A source is listed once, by the process that plans; workers read single images through a reader,
of which each opens its own.
"""

import errno
import lzma
import os
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from ._decode import ImageRefused, is_html
from ._errors import ShardsError
from ._manifest import hash_json

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"},
)
"""Of the files that are taken for images, in any case; what they hold is checked by decoding."""

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
)
"""What zipfile raises on a damaged member, or one compressed in a way it does not know."""
_UTF8_BOM = b"\xef\xbb\xbf"


class Entry(NamedTuple):
    """One image file of a source, as it was listed."""

    name: str
    """Path inside the source, POSIX; what the sample's json says."""
    num_bytes: int | None
    """None: a listed file that is not there."""
    crc: int | None
    """Of a zip's member."""
    mtime_ns: int | None
    """Of a file."""
    member: int
    """Number in the zip's directory; unused elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A listed source."""

    kind: str
    """folder, zip or list."""
    path: Path
    entries: tuple[Entry, ...]
    """The images, in a fixed order."""
    others: tuple[Entry, ...]
    """Files that are not named like images: annotations perhaps, or nothing of use."""

    def open_reader(self) -> "Reader":
        """Return what reads the images; workers receive it before they use it."""
        if self.kind == "zip":
            return ZipReader(self.path)
        return FolderReader(self.path if self.kind == "folder" else self.path.parent)

    def hash_listing(self, *, with_times: bool) -> str:
        """Return a sha256 that changes with the names, sizes and checksums of the images.

        Args:
            with_times: also with the time each file was last changed.
        """
        rows = [
            [escape(e.name), e.num_bytes, e.crc, e.mtime_ns if with_times else None]
            for e in self.entries
        ]
        return hash_json([self.kind, rows, len(self.others)])


class Reader(Protocol):
    """Reads one source's files; picklable while unused."""

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes.

        Raises:
            ImageRefused: this file alone cannot be read.
            ShardsError: it is not the file that was listed.
            OSError: the source as a whole fails.
        """

    def close(self) -> None:
        """Release what `read` opened."""


def list_source(path: Path) -> Source:
    """List the images of a source, telling its kind by what it is, not by its name.

    Folders are read recursively; hidden files and folders and `__MACOSX` are skipped. In a text
    file every line names an image, relative to the file's folder; blank lines are skipped.

    Raises:
        ShardsError: there is nothing of these kinds at `path`, or it holds no image.
    """
    if path.is_dir():
        source = _list_folder(path)
    elif path.is_file():
        source = _list_zip(path) if zipfile.is_zipfile(path) else _list_text(path)
    else:
        raise ShardsError(f"{path} does not exist; give a folder, a zip or a text file of paths")
    if not source.entries:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        raise ShardsError(f"{path} holds no images (files ending in {suffixes})")
    return source


def escape(name: str) -> str:
    r"""Return a file name that JSON can hold: bytes that are not UTF-8 become `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass
class FolderReader:
    """Reads files below a folder."""

    root: Path

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes; see `Reader`."""
        if entry.num_bytes is None:
            raise ImageRefused("missing", "there is no such file")
        try:
            data = (self.root / entry.name).read_bytes()
        except (PermissionError, IsADirectoryError) as error:
            raise ImageRefused("unreadable", error.strerror or str(error)) from error
        if len(data) != entry.num_bytes:
            raise ShardsError(f"{self.root / entry.name} changed while it was packed; pack anew")
        return data

    def close(self) -> None:
        """Nothing stays open."""


@dataclass
class ZipReader:
    """Reads members of a zip without unpacking it."""

    path: Path
    _zip: zipfile.ZipFile | None = None
    _members: list[zipfile.ZipInfo] = field(default_factory=list)

    def read(self, entry: Entry) -> bytes:
        """Return a member's bytes, its CRC checked; see `Reader`."""
        if self._zip is None:
            self._zip = zipfile.ZipFile(self.path)
            self._members = self._zip.infolist()
        try:
            return self._zip.read(self._members[entry.member])
        except (RuntimeError, *_ZIP_ERRORS) as error:  # RuntimeError: it needs a password
            raise ImageRefused("unreadable", f"in the zip: {error}") from error

    def close(self) -> None:
        """Close the zip."""
        if self._zip is not None:
            self._zip.close()
            self._zip = None


def _list_folder(root: Path) -> Source:
    found = sorted(_walk(root, "", set()))
    return Source(
        kind="folder",
        path=root,
        entries=tuple(e for e in found if _is_image_name(e.name)),
        others=tuple(e for e in found if not _is_image_name(e.name)),
    )


def _walk(folder: Path, prefix: str, above: set[tuple[int, int]]) -> Iterator[Entry]:
    """Yield all visible files; a link to a folder above itself is not followed."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as children:
        for child in children:
            if _is_hidden(child.name):
                continue
            if child.is_dir():
                yield from _walk(Path(child), f"{prefix}{child.name}/", above | {identity})
            else:
                yield _stat_entry(prefix + child.name, Path(child))


def _stat_entry(name: str, path: Path) -> Entry:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Entry(name, None, None, None, 0)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        return Entry(name, None, None, None, 0)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return Entry(name, None, None, None, 0)  # reading a pipe or a device could block
    return Entry(name, status.st_size, None, status.st_mtime_ns, 0)


def _list_zip(path: Path) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ShardsError(f"{path} is a damaged zip ({error}); get it again") from error
    found = sorted(
        Entry(info.filename, info.file_size, info.CRC, None, number)
        for number, info in enumerate(members)
        if not info.is_dir() and not any(map(_is_hidden, info.filename.split("/")))
    )
    return Source(
        kind="zip",
        path=path,
        entries=tuple(e for e in found if _is_image_name(e.name)),
        others=tuple(e for e in found if not _is_image_name(e.name)),
    )


def _list_text(path: Path) -> Source:
    lines: dict[str, int] = {}
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        name = line.removesuffix("\r")
        if not name.strip():
            continue
        if name in lines:
            raise ShardsError(f"{path} names {name} on lines {lines[name]} and {number}; drop one")
        lines[name] = number
    entries = tuple(_stat_entry(name, path.parent / name) for name in lines)
    if entries and all(entry.num_bytes is None for entry in entries):
        raise ShardsError(
            f"{path}: none of the {len(entries)} paths it lists exists (first: "
            f"{entries[0].name[:80]}); they are taken relative to {path.parent}"
        )
    return Source(kind="list", path=path, entries=entries, others=())


def _read_text(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(4096)
    if start.startswith(_ZIP_STARTS):
        raise ShardsError(f"{path} is a zip cut short; get it again")
    if is_html(start):
        raise ShardsError(
            f"{path} is an HTML page, not a zip or a list of paths: its download was refused, "
            "perhaps by a quota; open it in a browser to read why, then get the file again"
        )
    if b"\0" in start or path.suffix.lower() == ".zip":
        raise ShardsError(f"{path} is neither a folder, nor a zip, nor a text file of paths")
    return path.read_bytes().removeprefix(_UTF8_BOM).decode("utf-8", "surrogateescape")


def _is_image_name(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
