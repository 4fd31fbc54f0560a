"""Photographs in Parquet files, laid out as on the Hugging Face Hub.

A row is an image: a column {bytes, path}, or plain bytes, beside columns that describe it. Rows can
only be read group by group, hundreds at once, so the images are read in order (`Source.in_order`).
"""

import bisect
import itertools
from collections.abc import Generator, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._errors import ShardsError
from ..._format import SPLITS
from ...images import ImageRefused
from ...storage import Location
from .._reserved import describe_renamed, rename_field
from .._source import Container, Entries, Entry, Source, drop_nan
from .._splits import find_file_splits, find_value_splits
from ..files import SourceFiles, check_unchanged, describe_container, open_files

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

SUFFIX = ".parquet"

_BINARY_NAMES = frozenset({"image", "img", "jpg", "jpeg", "png", "picture", "photo"})
_PEOPLE = ("identity", "celeb_id", "person_id")
"""Columns that name the person in the image."""
_RESERVED = ("width", "height")
"""Fields of a sample's json that every pack computes."""
_OTHERS = ("name", "attributes", "face")
"""Fields of a sample's json that no column can hold. Columns of these names mean something else."""
_SPLIT = "split"
_CELEBA_NAMES = """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose
    Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee
    Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard
    Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair
    Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
"""
_CELEBA = frozenset(_CELEBA_NAMES.split())
"""CelebA's attributes, which may be columns of numbers."""
_ROWS = 16
"""Rows of a row group that are decoded at once."""
_LISTED_ROWS = 4096
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """The columns of a file by their use."""

    image: str
    has_path: bool
    """Whether the image column has names."""
    is_struct: bool
    attributes: tuple[str, ...]
    people: str | None
    split: str | None
    """A column that may name the split of the image."""
    fields: dict[str, str]
    """Other columns, and their names in a sample's json."""
    left_out: tuple[str, ...]
    """Columns that JSON cannot hold."""

    @property
    def used(self) -> list[str]:
        people = [] if self.people is None else [self.people]
        return [self.image, *self.attributes, *people, *self.fields]


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
        columns = _read_columns(files, names, image_column)
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
    files: SourceFiles, names: Sequence[str], columns: _Columns, *, single: bool
) -> _Splits:
    of_files = None if single else find_file_splits(names)
    if of_files is not None or columns.split is None:
        return _Splits(of_files=of_files)
    found = find_value_splits(
        [
            value
            for name in names
            for _, batch in _read_batches(files, name, [columns.split], num_rows=_LISTED_ROWS)
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
    columns: _Columns
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
        self._batches = _read_batches(self.files, name, self.columns.used, row=row)


@contextmanager
def _open(files: SourceFiles, name: str) -> "Iterator[ParquetFile]":
    """Open a file; turn errors in the block into one line.

    Raises:
        ShardsError: the file is damaged, or pyarrow is not installed.
    """
    where = files.locate(name)
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ShardsError(f"{where} is Parquet: pip install 'faceae[parquet]'") from error
    with files.open(name) as stream:
        try:
            yield ParquetFile(
                stream,
                buffer_size=_BUFFER_BYTES,  # of each column, in place of the whole of a row group
                pre_buffer=False,
                page_checksum_verification=True,
            )
        except (ArrowException, OSError) as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            message = f"{where} cannot be read as Parquet ({text}); get it again"
            raise ShardsError(message) from error


def _read_batches(
    files: SourceFiles, name: str, columns: list[str], *, row: int = 0, num_rows: int = _ROWS
) -> "Generator[tuple[int, pyarrow.RecordBatch]]":
    """Yield first row and content of each batch, starting at the row group that holds `row`."""
    with _open(files, name) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        starts = list(itertools.accumulate(sizes, initial=0))
        group = bisect.bisect_right(starts, row) - 1
        start, groups = starts[group], range(group, len(sizes))
        for batch in file.iter_batches(num_rows, groups, columns, use_threads=False):
            yield start, batch
            start += batch.num_rows


def _read_columns(files: SourceFiles, names: Sequence[str], image_column: str | None) -> _Columns:
    """Return what the columns hold, of all files the same."""
    found = []
    for name in names:
        with _open(files, name) as file:
            found.append(_sort_columns(files.locate(name), file.schema_arrow, image_column))
    for name, columns in zip(names, found, strict=True):
        if columns != found[0]:
            raise ShardsError(
                f"{files.locate(name)} has other columns than {files.locate(names[0])}; "
                "pack them on their own"
            )
    return found[0]


def _sort_columns(where: str, schema: "pyarrow.Schema", image_column: str | None) -> _Columns:
    from pyarrow import types

    def is_binary(kind: "pyarrow.DataType") -> bool:
        if types.is_dictionary(kind):
            return is_binary(kind.value_type)
        tests = (types.is_binary, types.is_large_binary, types.is_binary_view)
        return any(test(kind) for test in tests)

    def is_plain(kind: "pyarrow.DataType") -> bool:
        if types.is_dictionary(kind):  # what pandas calls a category
            return is_plain(kind.value_type)
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            return is_plain(kind.value_type)
        tests = (types.is_boolean, types.is_integer, types.is_floating)
        texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
        return any(test(kind) for test in (*tests, *texts))

    def is_struct(kind: "pyarrow.DataType") -> bool:
        return bool(
            types.is_struct(kind)
            and kind.get_field_index("bytes") >= 0
            and is_binary(kind.field("bytes").type)
        )

    structs = [c.name for c in schema if is_struct(c.type)]
    plain = [c.name for c in schema if is_binary(c.type)]
    image = schema.field(_choose_image(where, schema.names, structs, plain, image_column))
    others = [c for c in schema if c.name != image.name]
    people = next((c.name for name in _PEOPLE for c in others if c.name == name), None)
    attributes = [
        c.name
        for c in others
        if types.is_boolean(c.type)
        or (c.name in _CELEBA and (types.is_integer(c.type) or types.is_floating(c.type)))
    ]
    rest = [c for c in others if c.name not in (*attributes, people, *_RESERVED)]

    def is_text(kind: "pyarrow.DataType") -> bool:
        if types.is_dictionary(kind):
            return is_text(kind.value_type)
        return bool(types.is_string(kind) or types.is_large_string(kind))

    def is_other(column: "pyarrow.Field") -> bool:
        """Return whether a column has the name of a field of samples, and another meaning."""
        is_list = types.is_list(column.type) or types.is_large_list(column.type)
        is_list = is_list or types.is_fixed_size_list(column.type)
        return column.name in _OTHERS or (column.name in ("box", "landmarks") and not is_list)

    return _Columns(
        image=image.name,
        has_path=is_struct(image.type) and image.type.get_field_index("path") >= 0,
        is_struct=is_struct(image.type),
        attributes=tuple(attributes),
        people=people,
        split=next((c.name for c in rest if c.name.lower() == _SPLIT and is_text(c.type)), None),
        fields={
            c.name: rename_field(c.name, schema.names) if is_other(c) else c.name
            for c in rest
            if is_plain(c.type)
        },
        left_out=tuple(c.name for c in rest if not is_plain(c.type)),
    )


def _choose_image(
    where: str, names: list[str], structs: list[str], plain: list[str], asked: str | None
) -> str:
    """Return the column of the images."""
    if asked is not None:
        if asked not in (*structs, *plain):
            raise ShardsError(
                f"{where}: `image_column={asked!r}` is no column of {{bytes, path}} or of bytes; "
                f"its columns: {', '.join(names)}"
            )
        return asked
    found = structs or [name for name in plain if name.lower() in _BINARY_NAMES]
    if len(found) > 1:
        named = [name for name in found if name.lower() in _BINARY_NAMES]
        found = named if len(named) == 1 else found
    if not found:
        raise ShardsError(
            f"{where} has no image column: none of {{bytes, path}}, and none of bytes that is "
            "named like one; name one by `image_column`, or give a text file of paths if it "
            f"holds paths; its columns: {', '.join(names)}"
        )
    if len(found) > 1:
        raise ShardsError(
            f"{where} has several image columns ({', '.join(found)}); name one of them by "
            f"`image_column`; its columns: {', '.join(names)}"
        )
    return found[0]


def _list_rows(
    files: SourceFiles, names: Sequence[str], columns: _Columns, people: list[Any]
) -> Iterator[tuple[int, int, str]]:
    """Yield file, row and name of each image and append its person. Image bytes are not read."""
    path = [f"{columns.image}.path"] if columns.has_path else []
    who = [] if columns.people is None else [columns.people]
    for number, name in enumerate(names):
        if not path and not who:
            with _open(files, name) as file:
                num_rows = file.metadata.num_rows
            yield from ((number, row, f"{row:09}") for row in range(num_rows))
            continue
        for start, batch in _read_batches(files, name, path + who, num_rows=_LISTED_ROWS):
            people.extend(batch.column(who[0]).to_pylist() if who else ())
            images = batch.column(columns.image).to_pylist() if path else [None] * batch.num_rows
            for row, image in enumerate(images, start=start):
                yield number, row, (image or {}).get("path") or f"{row:09}"
