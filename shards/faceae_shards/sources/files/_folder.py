"""Images as single files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..._errors import ShardsError
from ...images import ImageRefused
from .._source import Entry
from ._files import SourceFiles, Span


@dataclass
class FolderReader:
    """Reads files by their names."""

    files: SourceFiles

    def prefetch(self, entries: Iterable[Entry]) -> None:
        """Fetch files; see `Reader`."""
        self.files.fetch(
            # One byte more than was listed shows whether the file grew.
            Span(entry.name, 0, entry.num_bytes + 1)
            for entry in entries
            if entry.num_bytes
        )

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes; see `Reader`."""
        if entry.num_bytes is None:
            raise self.files.explain_missing(entry.name)
        try:
            data = self.files.read_file(entry.name, entry.num_bytes)
        except (PermissionError, IsADirectoryError) as error:
            raise ImageRefused("unreadable", error.strerror or str(error)) from error
        if len(data) != entry.num_bytes:
            where = self.files.locate(entry.name)
            raise ShardsError(f"{where} changed while it was packed; pack it again")
        return data

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return nothing: a single file has no description."""
        return {}

    def close(self) -> None:
        """Close the files."""
        self.files.close()
