"""What a source of photographs is: images listed once, by the process that plans, and a reader.

Workers read single images; each opens a reader of its own.
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
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"},
)
"""Of the files that are taken for images, in any case; what they hold is checked by decoding."""

_NOTHING = -(2**63)
"""Stands for None among int64."""


class Entry(NamedTuple):
    """One image file of a source, as it was listed."""

    name: str
    """Path inside the source, POSIX; what the sample's json says."""
    num_bytes: int | None
    """None: a listed file that is not there, or an image whose size only reading it tells."""
    crc: int | None = None
    """Of a zip's member."""
    mtime_ns: int | None = None
    """Of a file; of one behind a URL a number that changes with the version the server names."""
    place: tuple[int, ...] = ()
    """Where in an archive the reader finds it."""
    split: str | None = None
    """Where the source itself says so."""


class Entries:
    """Entries in columns, which take a tenth of the memory of as many objects."""

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
        """What the source itself says of the images' splits."""
        return map(self._splits.__getitem__, self._split_numbers)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Size and checksum of each, N x 2; what is not known is the same negative number."""
        return self._numbers[:, :2]

    def sorted(self) -> "Entries":
        """Return them in the order of their names."""
        if all(map(operator.le, self.names, itertools.islice(self.names, 1, None))):
            return self
        return self.take(sorted(range(len(self)), key=list(self.names).__getitem__))

    def select(self, keep: Callable[[str], bool]) -> "Entries":
        """Return those whose names `keep` accepts, in the same order."""
        kept = np.fromiter(map(keep, self.names), np.bool_, len(self))
        return self if kept.all() else self.take(np.flatnonzero(kept).tolist())

    def take(self, numbers: list[int]) -> "Entries":
        """Return those of these numbers, in their order."""
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
        """Note all but the name of an entry, and return that."""
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
    """folder, zip, list, tar, parquet, or shards: several tars, whose images bring their own
    json."""
    path: Location
    entries: Entries
    """The images, in a fixed order."""
    others: Entries
    """Files that are not named like images: annotations perhaps, or nothing of use."""
    open_reader: "Callable[[], Reader]"
    """Returns what reads the images; workers receive it before they use it."""
    containers: tuple[Container, ...] = ()
    """Of a source whose listing holds no checksums: the files it was made from."""
    fields: tuple[str, ...] = ()
    """What the images' own json brings besides the attributes' names, by the first image."""
    attribute_names: tuple[str, ...] = ()
    in_order: bool = False
    """Reading in another order than that of the entries is slow; their places begin with their
    numbers."""
    people: tuple[Hashable, ...] | None = None
    """Who is shown, where the source says so of each image."""
    notes: tuple[str, ...] = ()
    """What the user should know, a line each."""

    def hash_listing(self, *, with_times: bool) -> str:
        """Return a sha256 that changes with the names, sizes and checksums of the images.

        Args:
            with_times: also with the time each file was last changed.
        """
        digest = hashlib.sha256(json.dumps([self.kind, len(self.others)]).encode())
        for c in self.containers:
            digest.update(json.dumps(c if with_times else c[:2]).encode())
        for e in self.entries:
            row = [escape(e.name), e.num_bytes, e.crc, e.mtime_ns if with_times else None]
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()


class Reader(Protocol):
    """Reads one source's files; picklable while unused."""

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Begin to fetch what will be read before the next call but one, where that is slow."""

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
    """Tell an image by its suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_other_name(name: str) -> bool:
    """Tell what is no image."""
    return not is_image_name(name)


def is_hidden(name: str) -> bool:
    """Tell the files and folders that systems hide or leave, by the last part of their path."""
    return name.startswith(".") or name == "__MACOSX"
