"""CelebA's annotation files: partition, attributes, identities, boxes, landmarks.

Format: Liu et al., "Deep Learning Face Attributes in the Wild" (ICCV 2015), as distributed: a line
an image, its file name first; attributes, boxes and landmarks begin with a line of the image count
and one of column names. Or the same tables as CSV with one header line each, as on Kaggle.
"""

import hashlib
import io
import itertools
import operator
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import ShardsError
from .._format import SPLITS, hash_json
from ..images import ImageRefused, is_html
from ..storage import Location, is_url, name_of
from ._files import open_beside
from ._names import Names
from ._source import Entry, Source

PARTITION = "list_eval_partition"
ATTRIBUTES = "list_attr_celeba"
IDENTITY = "identity_CelebA"
BOX = "list_bbox_celeba"
LANDMARKS = "list_landmarks_align_celeba"
NUM_IMAGES = 202_599
"""Of CelebA."""

_SUFFIXES = (".txt", ".csv")
_HEADLESS: dict[str, tuple[str, ...]] = {PARTITION: ("partition",), IDENTITY: ("identity",)}
"""Tables whose .txt has no header lines, and their columns."""
_FIELDS = {ATTRIBUTES: "attributes", IDENTITY: "identity", BOX: "box", LANDMARKS: "landmarks"}
"""Tables, and the field of a sample's json each becomes."""
_LINES_AT_ONCE = 16_384
_PLACES = (".", "Anno", "Eval")
"""Folders beside a source that may hold the files; the latter two are CelebA's own."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One annotation file."""

    file_name: str
    columns: tuple[str, ...]
    sha256: str
    """Of the file."""
    values: NDArray[np.signedinteger]
    """Images x columns, in the order of the source's images."""


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What is known of a source's images besides their pixels. Every image is in every table."""

    tables: dict[str, Table]
    """By file name without suffix."""
    num_files: int
    """Of the tables that lie inside the source."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that `describe` returns."""
        return tuple(_FIELDS[name] for name in self.tables if name in _FIELDS)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """CelebA's 40 names, or none."""
        return self.tables[ATTRIBUTES].columns if ATTRIBUTES in self.tables else ()

    def hash(self) -> str:
        """Return a sha256 over the files."""
        return hash_json({table.file_name: table.sha256 for table in self.tables.values()})

    def get_partition(self) -> list[str] | None:
        """Return the official split of each image, or None without the partition file."""
        values = self._get_column(PARTITION)
        return None if values is None else [SPLITS[value] for value in values]

    def get_identities(self) -> list[int] | None:
        """Return the person each image shows, or None without the identity file."""
        return self._get_column(IDENTITY)

    def describe(self, number: int) -> dict[str, Any]:
        """Return the annotations of the source's image `number` as its sample's json holds them."""
        described: dict[str, Any] = {}
        for name, field in _FIELDS.items():
            if name in self.tables:
                table = self.tables[name]
                described[field] = _format_row(field, table.columns, table.values[number].tolist())
        return described

    def take(self, numbers: list[int]) -> "Annotations":
        """Return those of the images of these numbers, numbered anew in their order."""
        tables = {
            name: replace(table, values=table.values[numbers])
            for name, table in self.tables.items()
        }
        return replace(self, tables=tables)

    def _get_column(self, name: str) -> list[int] | None:
        return self.tables[name].values[:, 0].tolist() if name in self.tables else None


def find_annotations(source: Source) -> Annotations:
    """Read CelebA's files where they lie inside the source, beside it, or in Anno/ and Eval/ there.

    Beside a folder that lies in one of the same name, as Kaggle's archive unpacks, means beside
    the outer one too. Images are matched by base name without suffix, so that the PNG edition of
    CelebA matches too.

    Raises:
        ShardsError: a file is damaged, is there twice, or does not list every image just once.
    """
    tables: dict[str, Table] = {}
    num_inside = 0
    if source.kind in ("shards", "parquet"):  # numbered, and described by their own
        return Annotations(tables=tables, num_files=0)
    images = source.entries.names
    for name in (PARTITION, *_FIELDS):
        file_names = [name + suffix for suffix in _SUFFIXES]
        found = [
            source.others[number]
            for number, other in enumerate(source.others.names)
            if posixpath.basename(other) in file_names
        ]
        if len(found) > 1:
            raise ShardsError(
                f"{source.path} holds {name} twice: {found[0].name}, {found[1].name}; keep one"
            )
        if found:
            num_inside += 1
            where = f"{source.path}: {found[0].name}"
            file_name = posixpath.basename(found[0].name)
            tables[name] = _parse(file_name, where, _read_inside(source, found[0]), images)
        elif (beside := _find_beside(source.path, file_names)) is not None:
            tables[name] = _parse(*beside, images)
    return Annotations(tables=tables, num_files=num_inside)


def describe_shortfall(source: Source, annotations: Annotations) -> str | None:
    """Say so where a source looks like CelebA and holds fewer or more images; else None."""
    is_celeba = bool(annotations.tables) or "celeba" in name_of(source.path).lower()
    if not is_celeba or len(source.entries) == NUM_IMAGES:
        return None
    return f"CelebA has {NUM_IMAGES:,} images, this source holds {len(source.entries):,}"


def _read_inside(source: Source, entry: Entry) -> bytes:
    with closing(source.open_reader()) as reader:
        try:
            return reader.read(entry)
        except ImageRefused as error:
            raise ShardsError(f"{source.path}: {entry.name}: {error.detail}") from error


def _find_beside(location: Location, file_names: list[str]) -> tuple[str, str, bytes] | None:
    """Return name, place and content of the first of these files that is there."""
    files, own_name = open_beside(location.resolve() if isinstance(location, Path) else location)
    if isinstance(files.root, str) and not is_url(files.root):
        return None  # the source is a whole bucket
    folders = [""]
    if name_of(files.root) == name_of(own_name):
        folders.append("../")
    names = [
        posixpath.normpath(f"{folder}{place}/{name}")
        for folder, place, name in itertools.product(folders, _PLACES, file_names)
    ]
    with closing(files):
        for found in files.stat(names):
            if found.num_bytes is not None:
                content = files.read_file(found.name, found.num_bytes)
                return posixpath.basename(found.name), files.locate(found.name), content
    return None


def _parse(file_name: str, where: str, content: bytes, images: Sequence[str]) -> Table:
    lines = _read_lines(content)
    first = next(lines, None)
    if first is None or is_html(content):
        what = "empty" if first is None else "an HTML page"
        raise ShardsError(f"{where} is {what}, not CelebA's file; get it again")
    name, suffix = posixpath.splitext(file_name)
    delimiter = "," if suffix == ".csv" else None
    announced = None
    if delimiter:
        columns = _parse_csv_header(where, first)
    elif name in _HEADLESS:
        columns = _HEADLESS[name]
        lines = itertools.chain([first], lines)
    else:
        announced = _parse_count(where, first)
        columns = tuple(column for column in next(lines, "").split() if column != "image_id")
    names, values = _parse_rows(where, lines, delimiter, len(columns))
    if not names:
        raise ShardsError(f"{where} lists no image; get it again")
    if announced not in (None, len(names)):
        raise ShardsError(
            f"{where} announces {announced} images and lists {len(names)}; get it again"
        )
    if name == PARTITION and not set(np.unique(values).tolist()) <= {0, 1, 2}:
        raise ShardsError(f"{where} has a partition other than 0, 1 and 2; get it again")
    return Table(
        file_name=file_name,
        columns=columns,
        sha256=hashlib.sha256(content).hexdigest(),
        values=values[_match(where, names, images)],
    )


def _read_lines(content: bytes) -> Iterator[str]:
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace")
    return (line for line in text if line.strip())


def _parse_rows(
    where: str, lines: Iterator[str], delimiter: str | None, num_columns: int
) -> tuple[Names, NDArray[np.signedinteger]]:
    """Return the name each line begins with, and the numbers that follow."""
    blocks = [np.empty((0, num_columns), np.int8)]

    def parse() -> Iterator[str]:
        while block := list(itertools.islice(lines, _LINES_AT_ONCE)):
            yield from (line.split(delimiter, maxsplit=1)[0].strip() for line in block)
            blocks.append(_parse_values(where, block, delimiter, num_columns))

    names = Names(parse())
    return names, np.concatenate(blocks)


def _parse_values(
    where: str, lines: list[str], delimiter: str | None, num_columns: int
) -> NDArray[np.signedinteger]:
    try:
        values = np.loadtxt(
            lines,
            dtype=np.int32,
            delimiter=delimiter,
            usecols=range(1, num_columns + 1),
            comments=None,
            ndmin=2,
        )
    except ValueError as error:
        raise ShardsError(f"{where} is not CelebA's file: {error}; get it again") from error
    lowest = min(values.min(), -1 - values.max())
    return values.astype(np.min_scalar_type(lowest))


def _match(where: str, names: Sequence[str], images: Sequence[str]) -> list[int] | slice:
    """Return the row of each image, or all rows where they are listed in the images' order."""
    if len(names) == len(images) and all(map(operator.eq, map(_stem, names), map(_stem, images))):
        return slice(None)
    rows: dict[str, int] = {}
    for number, name in enumerate(names):
        if rows.setdefault(_stem(name), number) != number:
            raise ShardsError(f"{where} lists {name} twice; keep one of the lines")
    lacking = [name for name in images if _stem(name) not in rows]
    if lacking:
        raise ShardsError(
            f"{where} lists all but {len(lacking)} of the {len(images)} images "
            f"(first: {lacking[0]}); move these images, or the file, elsewhere"
        )
    return [rows[_stem(name)] for name in images]


def _parse_csv_header(where: str, line: str) -> tuple[str, ...]:
    first, *columns = (name.strip() for name in line.split(","))
    if first != "image_id" or not columns:
        raise ShardsError(f"{where} does not begin with image_id and column names; get it again")
    return tuple(columns)


def _parse_count(where: str, line: str) -> int:
    if not line.strip().isdecimal():
        raise ShardsError(f"{where} does not begin with an image count; get it again")
    return int(line)


def _format_row(field: str, columns: tuple[str, ...], row: list[int]) -> Any:
    if field == "identity":
        return row[0]
    if field == "box":
        return row
    if field == "attributes":
        return dict(zip(columns, row, strict=True))
    points = [column.removesuffix("_x") for column in columns[::2]]
    return dict(zip(points, zip(row[::2], row[1::2], strict=True), strict=True))


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]
