"""Photographs as files of their own, below a folder."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._decode import ImageRefused
from ._errors import ShardsError
from ._sources import Entry, is_hidden


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

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return nothing: a file of its own says no more than its name."""
        return {}

    def close(self) -> None:
        """Nothing stays open."""


def walk(
    folder: Path, prefix: str = "", above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[Entry]:
    """Yield all visible files; a link to a folder above itself is not followed."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as children:
        for child in children:
            if is_hidden(child.name):
                continue
            if child.is_dir():
                yield from walk(Path(child), f"{prefix}{child.name}/", above | {identity})
            else:
                yield stat_entry(prefix + child.name, Path(child))


def stat_entry(name: str, path: Path) -> Entry:
    """Return the entry of a file, without a size where there is no such file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Entry(name, None)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        return Entry(name, None)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return Entry(name, None)  # reading a pipe or a device could block
    return Entry(name, status.st_size, mtime_ns=status.st_mtime_ns)
