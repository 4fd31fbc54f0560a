"""Opening files by their location, on this machine or behind a URL."""

from pathlib import Path

from ...storage import Location
from ._files import SourceFiles
from ._local_files import LocalFiles
from ._remote_files import RemoteFiles, parent_of


def open_files(folder: Location) -> SourceFiles:
    """Return a reader of the files below a folder or a URL."""
    if isinstance(folder, Path):
        return LocalFiles(folder)
    return RemoteFiles(folder.rstrip("/"))


def open_beside(location: Location) -> tuple[SourceFiles, str]:
    """Return a reader of the files in a file's folder, and the file's name for that reader."""
    if isinstance(location, Path):
        return LocalFiles(location.parent), location.name
    return RemoteFiles(parent_of(location)), location  # a URL may have a query, which names lack


def detect_kind(location: Location) -> str | None:
    """Return `folder`, `file`, or None where nothing is there.

    Raises:
        ShardsError: a server cannot be reached, or refuses, or the URL is a folder of a web server.
    """
    if isinstance(location, Path):
        return "folder" if location.is_dir() else "file" if location.is_file() else None
    return RemoteFiles("").detect_kind(location)
