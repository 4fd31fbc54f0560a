"""Photographs in Parquet files, laid out as on the Hugging Face Hub.

A row is an image: a column {bytes, path}, or plain bytes, beside columns that describe it. Rows can
only be read group by group, hundreds at once, so the images are read in order (`Source.in_order`).
"""

from collections.abc import Generator, Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._format import SPLITS
from ...images import ImageRefused
from ...storage import Location
from .._reserved import describe_renamed
from .._source import Container, Entries, Entry, Source, drop_nan
from .._splits import find_file_splits, find_value_splits
from ..files import SourceFiles, check_unchanged, describe_container, open_files
from ._parquet_columns import Columns, read_columns
from ._parquet_file import open_parquet, read_batches

if TYPE_CHECKING:
    import pyarrow

SUFFIX = ".parquet"

_LISTED_ROWS = 4096


def list_parquet(
    location: Location,
    files: SourceFiles,
    names: Sequence[str],
    *,
    single: bool,
    image_column: str | None,
) -> Source:
    """List the images of Parquet files.

    Columns of booleans, and of integers named like CelebA's attributes, become attributes; a column
    that names the person becomes `identity`; the others become fields of the sample's json. Where
    the file names define splits, training among them, the images keep them; else those of a column
    `split`.

    Args:
        location: the source.
        files: reads the Parquet files.
        names: the files.
        single: the source is a single file, not a folder.
        image_column: the column of the images; by default the only one of images, or the only one
            that is named like one (image, img, ...).

    Raises:
        ShardsError: pyarrow is missing, a file is damaged, or their columns are not of this layout.
    """
    people: list[Any] = []
    with closing(files):
        containers = tuple(describe_container(files, name) for name in names)
        columns = read_columns(files, names, image_column)
        splits = _find_splits(files, names, columns, single=single)
        entries = Entries(
            Entry(
                name if single else f"{names[number]}/{name}",
                None,
                place=(total, number, row),
                split=splits.choose(number, total),
            )
            for total, (number, row, name) in enumerate(_list_rows(files, names, columns, people))
        )
    left_out = ", ".join(columns.left_out)
    renamed = {column: name for column, name in columns.fields.items() if column != name}
    described = {"attributes": columns.attributes, "identity": columns.people}
    return Source(
        kind="parquet",
        path=location,
        entries=entries,
        others=Entries(),
        open_reader=lambda: ParquetReader(
            open_files(files.root), tuple(names), containers, columns
        ),
        containers=containers,
        fields=(*(name for name, found in described.items() if found), *columns.fields.values()),
        attribute_names=columns.attributes,
        in_order=True,
        split_reason=splits.reason,
        people=_fill_people(people),
        notes=(
            *([f"columns left out, which JSON cannot hold: {left_out}"] if left_out else []),
            *describe_renamed(renamed),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Splits:
    """Where the split of an image is found."""

    of_files: list[str] | None = None
    of_rows: list[str] | None = None
    reason: str = Source.split_reason

    def choose(self, file: int, row: int) -> str | None:
        """Return the split of a row, counted over all files, and of the file it lies in."""
        if self.of_files is not None:
            return self.of_files[file]
        return None if self.of_rows is None else self.of_rows[row]


def _find_splits(
    files: SourceFiles, names: Sequence[str], columns: Columns, *, single: bool
) -> _Splits:
    of_files = None if single else find_file_splits(names)
    if of_files is not None or columns.split is None:
        return _Splits(of_files=of_files)
    found = find_value_splits(
        [
            value
            for name in names
            for _, batch in read_batches(files, name, [columns.split], num_rows=_LISTED_ROWS)
            for value in batch.column(0).to_pylist()
        ]
    )
    if found is None:
        return _Splits()
    known = [split for split in SPLITS if split in found]
    reason = f"its column {columns.split} names {', '.join(known)}"
    num_without = found.count(None)
    if num_without:
        reason += f"; {num_without:,} images of no such name are for training"
    return _Splits(of_rows=[split or SPLITS[0] for split in found], reason=reason)


def _fill_people(people: list[Any]) -> tuple[Hashable, ...] | None:
    """Return the person of each image. Where the files do not say, it is a person of its own."""
    known = [drop_nan(person) for person in people]
    if all(person is None for person in known):
        return None
    return tuple(("image", n) if who is None else who for n, who in enumerate(known))


@dataclass
class ParquetReader:
    """Reads rows. In any order but that of the files it decodes a row group for each image."""

    files: SourceFiles
    names: tuple[str, ...]
    listed: tuple[Container, ...]
    """The files as they were listed."""
    columns: Columns
    _number: int | None = None
    """Index of the open file."""
    _start: int = 0
    """First row of `_batch`."""
    _batch: "pyarrow.RecordBatch | None" = None
    _batches: "Generator[tuple[int, pyarrow.RecordBatch]] | None" = None

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Do nothing: rows are read in order."""

    def read(self, entry: Entry) -> bytes:
        """Return a row's image; see `Reader`."""
        image = self._get(entry, self.columns.image)
        if image is None:
            raise ImageRefused("missing", "the row holds no image")
        data: bytes | None = image["bytes"] if self.columns.is_struct else image
        if not data:
            raise ImageRefused("missing", "the row holds a path, but no bytes")
        return data

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return the values of the other columns for the sample's json; see `Reader`."""
        columns = self.columns
        described = {
            name: drop_nan(self._get(entry, column)) for column, name in columns.fields.items()
        }
        if columns.people is not None:
            described["identity"] = drop_nan(self._get(entry, columns.people))
        if columns.attributes:
            values = {name: drop_nan(self._get(entry, name)) for name in columns.attributes}
            known = {name: value for name, value in values.items() if value is not None}
            if not set(known.values()) <= {-1, 0, 1}:
                raise ImageRefused("bad attributes", "one is neither of -1, 0 and 1")
            described["attributes"] = {n: 1 if value == 1 else -1 for n, value in known.items()}
        return {name: value for name, value in described.items() if value not in (None, {})}

    def close(self) -> None:
        """Close the open file."""
        if self._batches is not None:
            self._batches.close()
        self._number = self._batch = self._batches = None
        self.files.close()

    def _get(self, entry: Entry, column: str) -> Any:
        _, number, row = entry.place
        if self._batches is None or number != self._number or row < self._start:
            self._open(number, row)
            assert self._batches is not None
        while self._batch is None or row >= self._start + self._batch.num_rows:
            self._start, self._batch = next(self._batches)
        return self._batch.column(column)[row - self._start].as_py()

    def _open(self, number: int, row: int) -> None:
        self.close()
        name = self.names[number]
        check_unchanged(self.files, name, self.listed[number])
        self._number, self._start = number, row
        self._batches = read_batches(self.files, name, self.columns.used, row=row)


def _list_rows(
    files: SourceFiles, names: Sequence[str], columns: Columns, people: list[Any]
) -> Iterator[tuple[int, int, str]]:
    """Yield file, row and name of each image and append its person. Image bytes are not read."""
    path = [f"{columns.image}.path"] if columns.has_path else []
    who = [] if columns.people is None else [columns.people]
    for number, name in enumerate(names):
        if not path and not who:
            with open_parquet(files, name) as file:
                num_rows = file.metadata.num_rows
            yield from ((number, row, f"{row:09}") for row in range(num_rows))
            continue
        for start, batch in read_batches(files, name, path + who, num_rows=_LISTED_ROWS):
            people.extend(batch.column(who[0]).to_pylist() if who else ())
            images = batch.column(columns.image).to_pylist() if path else [None] * batch.num_rows
            for row, image in enumerate(images, start=start):
                yield number, row, (image or {}).get("path") or f"{row:09}"
