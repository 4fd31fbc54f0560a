"""A source of photographs: a list of images, and a reader for them.

The process that plans a pack lists the images once. Every worker opens its own reader.
"""

import hashlib
import itertools
import json
import math
import operator
import posixpath
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..storage import Location
from ._names import Names

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
    | {".avif", ".heic", ".heif"},
)
"""Suffixes of image files, in lower case. The content is checked later, by decoding."""

_NOTHING = -(2**63)
"""Stands for None among int64."""


class Entry(NamedTuple):
    """One image of a source, as it was listed."""

    name: str
    """POSIX path inside the source, which becomes `name` in the sample's json."""
    num_bytes: int | None
    """None: the file is missing, or its size is known only after it is read."""
    crc: int | None = None
    """CRC-32 of a zip's member."""
    mtime_ns: int | None = None
    """Modification time of a file; behind a URL a number that identifies the file's version."""
    place: tuple[int, ...] = ()
    """Position in an archive, for the reader."""
    split: str | None = None
    """Split of the image where the source defines one."""


class Entries:
    """Entries in columns, which take a tenth of the memory of single objects."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        splits: dict[str | None, int] = {}
        self._split_numbers = bytearray()
        numbers = array("q")
        self.names = Names(self._add(entry, numbers, splits) for entry in entries)
        self._splits = tuple(splits)
        width = len(numbers) // len(self.names) if self.names else 1
        self._numbers = np.frombuffer(numbers, dtype=np.int64).reshape(-1, width)

    @property
    def splits(self) -> Iterator[str | None]:
        """Split of each image; None where the source defines none."""
        return map(self._splits.__getitem__, self._split_numbers)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Size and checksum of each, N x 2, int64; -2**63 where they are unknown."""
        return self._numbers[:, :2]

    def sum_bytes(self) -> int:
        """Return the size of all files whose size is known."""
        sizes = self._numbers[:, 0]
        return int(sizes[sizes > 0].sum())

    def sorted(self) -> "Entries":
        """Return the entries sorted by name."""
        if all(map(operator.le, self.names, itertools.islice(self.names, 1, None))):
            return self
        return self.take(sorted(range(len(self)), key=list(self.names).__getitem__))

    def select(self, keep: Callable[[str], bool]) -> "Entries":
        """Return the entries whose names `keep` accepts, in the same order."""
        kept = np.fromiter(map(keep, self.names), np.bool_, len(self))
        return self if kept.all() else self.take(np.flatnonzero(kept).tolist())

    def keep_last(self) -> "Entries":
        """Return the entries without those whose name a later one has."""
        if self.names.find_repeat() is None:
            return self
        last = {name: number for number, name in enumerate(self.names)}
        return self.take(sorted(last.values()))

    def take(self, numbers: list[int]) -> "Entries":
        """Return the entries at these indices, in the order of the indices."""
        taken = Entries()
        taken.names = self.names.take(numbers)
        taken._splits = self._splits
        taken._split_numbers = bytearray(map(self._split_numbers.__getitem__, numbers))
        taken._numbers = self._numbers[numbers]
        return taken

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> Entry:
        num_bytes, crc, mtime_ns, *place = self._numbers[number].tolist()
        return Entry(
            self.names[number],
            None if num_bytes == _NOTHING else num_bytes,
            None if crc == _NOTHING else crc,
            None if mtime_ns == _NOTHING else mtime_ns,
            tuple(place),
            self._splits[self._split_numbers[number]],
        )

    def __iter__(self) -> Iterator[Entry]:
        return map(self.__getitem__, range(len(self)))

    def _add(self, entry: Entry, numbers: "array[int]", splits: dict[str | None, int]) -> str:
        """Append all of an entry except its name; return the name."""
        self._split_numbers.append(splits.setdefault(entry.split, len(splits)))
        for number in (entry.num_bytes, entry.crc, entry.mtime_ns, *entry.place):
            numbers.append(_NOTHING if number is None else number)
        return entry.name


class Container(NamedTuple):
    """A file that holds many images."""

    name: str
    num_bytes: int
    mtime_ns: int | None
    """See `Entry`."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A listed source."""

    kind: str
    """folder, zip, list, tar, parquet or shards (several tars with a json beside each image)."""
    path: Location
    entries: Entries
    """The images, in a fixed order."""
    others: Entries
    """Files without an image suffix, annotation files among them."""
    open_reader: "Callable[[], Reader]"
    """Opens a reader of the images. An unused reader may be sent to a worker."""
    containers: tuple[Container, ...] = ()
    """Archives that hold the images, of a source whose listing has no checksums."""
    fields: tuple[str, ...] = ()
    """Fields of the first image's own json."""
    attribute_names: tuple[str, ...] = ()
    in_order: bool = False
    """Whether only reading in the order of the entries is fast. The place of each entry then starts
    with its number."""
    split_reason: str = "its files are named by split"
    """Why each entry has the split that it has, where all have one."""
    people: tuple[Hashable, ...] | None = None
    """Person of each image; None where the source does not define it for all."""
    notes: tuple[str, ...] = ()
    """Remarks for the user, one line each."""

    def hash_listing(self, *, with_times: bool) -> str:
        """Return a sha256 over the names, sizes and checksums of the images.

        Args:
            with_times: include the modification times.
        """
        digest = hashlib.sha256(json.dumps([self.kind, len(self.others)]).encode())
        for c in self.containers:
            digest.update(json.dumps(c if with_times else c[:2]).encode())
        for e in self.entries:
            # As json.dumps writes the list, in a fifth of its time.
            numbers = (e.num_bytes, e.crc, e.mtime_ns if with_times else None)
            row = ", ".join("null" if number is None else str(number) for number in numbers)
            digest.update(f"[{json.dumps(escape(e.name))}, {row}]".encode())
        return digest.hexdigest()


class Reader(Protocol):
    """Reads the images of one source; picklable while unused."""

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Start to fetch images that will be read before the second next call, if that is slow."""

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes.

        Raises:
            ImageRefused: this file alone cannot be read.
            ShardsError: it is not the file that was listed.
            OSError: the source as a whole fails.
        """

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return the source's own description of an image, for its sample's json.

        Raises:
            ImageRefused: the description cannot be read.
        """

    def close(self) -> None:
        """Release what `read` opened."""


def escape(name: str) -> str:
    r"""Return a file name that JSON can hold: bytes that are not UTF-8 become `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def drop_nan(value: Any) -> Any:
    """Return a JSON value with None in place of NaN and the infinities, which JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [drop_nan(each) for each in value]
    if isinstance(value, dict):
        return {name: drop_nan(each) for name, each in value.items()}
    return value


def is_image_name(name: str) -> bool:
    """Return whether a file has an image suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_other_name(name: str) -> bool:
    """Return whether a file has no image suffix."""
    return not is_image_name(name)


def is_hidden(name: str) -> bool:
    """Return whether systems hide or leave behind a file or folder of this name."""
    return (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"


def clean_member_name(name: str) -> str | None:
    """Return the name of an archive's member as a path in a folder; None for a hidden file.

    `tar -C folder -c .` writes ./a.jpg for a.jpg.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if any(map(is_hidden, parts)) else "/".join(parts)
