"""A copy of a source's images that can be read in any order.

A pack stores images in a random order. Some sources are fast only in their own order. Their images
are copied once, in that order, to a file beside the state of the pack, and workers read the copy.
It is as large as the images, survives an interruption, and is deleted with the state when the pack
is complete.
"""

import json
from array import array
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...images import ImageRefused
from ...storage import atomic_path
from .._source import Entry, Source

_IMAGES = "images"
_OFFSETS = "offsets.npy"
_REFUSED = "refused"


def spool(source: Source, path: Path) -> "SpoolReader":
    """Copy a source's images and their descriptions into the folder `path`, if it does not exist.

    Args:
        source: the place of each entry starts with its number.

    Raises:
        ShardsError: the source is damaged, or changed after it was listed.
        OSError: as the file system reports it, e.g. for a full disk.
    """
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.mkdir()
            _copy(source, part)
    return SpoolReader(path)


def _copy(source: Source, folder: Path) -> None:
    offsets = array("q", [0])
    end = 0
    with closing(source.open_reader()) as reader, (folder / _IMAGES).open("wb") as file:
        for entry in source.entries:
            try:
                data, described = reader.read(entry), reader.describe(entry)
            except ImageRefused as refusal:
                data, described = b"", {_REFUSED: [refusal.reason, refusal.detail]}
            for part in (json.dumps(described).encode(), data):
                end += file.write(part)
                offsets.append(end)
    np.save(folder / _OFFSETS, np.frombuffer(offsets, dtype=np.int64))


@dataclass
class SpoolReader:
    """Reads from a copy, in any order."""

    path: Path
    _file: BinaryIO | None = None
    _offsets: NDArray[np.int64] | None = None

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Do nothing: the operating system reads ahead."""

    def read(self, entry: Entry) -> bytes:
        """Return an image's bytes; see `Reader`."""
        described = self._describe(entry)
        if _REFUSED in described:
            raise ImageRefused(*described[_REFUSED])
        return self._read(2 * entry.place[0] + 1)

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return the description from the source; see `Reader`."""
        return self._describe(entry)

    def close(self) -> None:
        """Close the copy."""
        if self._file is not None:
            self._file.close()
        self._file = self._offsets = None

    def _describe(self, entry: Entry) -> dict[str, Any]:
        described: dict[str, Any] = json.loads(self._read(2 * entry.place[0]))
        return described

    def _read(self, number: int) -> bytes:
        if self._file is None or self._offsets is None:
            self._offsets = np.load(self.path / _OFFSETS, mmap_mode="r")
            self._file = (self.path / _IMAGES).open("rb")
        start, stop = self._offsets[number : number + 2].tolist()
        self._file.seek(start)
        return self._file.read(stop - start)
