"""CelebA's annotation files: partition, attributes, identities, boxes, landmarks.

Format: Liu et al., "Deep Learning Face Attributes in the Wild" (ICCV 2015), as distributed: a line
an image, its file name first; attributes, boxes and landmarks begin with a line of the image count
and one of column names. Or the same tables as CSV with one header line each, as on Kaggle.
"""

import hashlib
import itertools
import posixpath
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._decode import ImageRefused, is_html
from ._errors import ShardsError
from ._manifest import SPLITS, hash_json
from ._sources import Entry, Source

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
_PLACES = (".", "Anno", "Eval")
"""Folders beside a source that may hold the files; the latter two are CelebA's own."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One annotation file."""

    where: str
    """For messages."""
    file_name: str
    columns: tuple[str, ...]
    sha256: str
    """Of the file."""
    rows: dict[str, int]
    """Row number by the image's base name without suffix."""
    values: NDArray[np.int32]
    """Rows x columns."""


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What is known of a source's images besides their pixels. Every image is in every table."""

    tables: dict[str, Table]
    """By file name without suffix."""
    files: tuple[Entry, ...]
    """Those of the tables that lie inside the source."""

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

    def get_partition(self, entries: Iterable[Entry]) -> list[str] | None:
        """Return the official split of each image, or None without the partition file."""
        values = self._get_column(PARTITION, entries)
        return None if values is None else [SPLITS[value] for value in values]

    def get_identities(self, entries: Iterable[Entry]) -> list[int] | None:
        """Return the person each image shows, or None without the identity file."""
        return self._get_column(IDENTITY, entries)

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return an image's annotations as its sample's json holds them."""
        described: dict[str, Any] = {}
        for name, field in _FIELDS.items():
            if name in self.tables:
                table = self.tables[name]
                row = table.values[table.rows[_stem(entry.name)]].tolist()
                described[field] = _format_row(field, table.columns, row)
        return described

    def _get_column(self, name: str, entries: Iterable[Entry]) -> list[int] | None:
        if name not in self.tables:
            return None
        table = self.tables[name]
        return [int(table.values[table.rows[_stem(entry.name)], 0]) for entry in entries]


def find_annotations(source: Source) -> Annotations:
    """Read CelebA's files where they lie inside the source, beside it, or in Anno/ and Eval/ there.

    Beside a folder that lies in one of the same name, as Kaggle's archive unpacks, means beside
    the outer one too. Images are matched by base name without suffix, so that the PNG edition of
    CelebA matches too.

    Raises:
        ShardsError: a file is damaged, is there twice, or does not list every image.
    """
    tables: dict[str, Table] = {}
    inside: list[Entry] = []
    if source.kind == "shards":  # numbered, and described by their own json
        return Annotations(tables=tables, files=())
    for name in (PARTITION, *_FIELDS):
        file_names = [name + suffix for suffix in _SUFFIXES]
        found = [entry for entry in source.others if posixpath.basename(entry.name) in file_names]
        if len(found) > 1:
            raise ShardsError(
                f"{source.path} holds {name} twice: {found[0].name}, {found[1].name}; keep one"
            )
        if found:
            inside.append(found[0])
            where = f"{source.path}: {found[0].name}"
            file_name = posixpath.basename(found[0].name)
            tables[name] = _parse(file_name, where, _read_inside(source, found[0]))
        elif (path := _find_beside(source.path, file_names)) is not None:
            tables[name] = _parse(path.name, str(path), path.read_bytes())
    for table in tables.values():
        _check_covers(table, source)
    return Annotations(tables=tables, files=tuple(inside))


def describe_shortfall(source: Source, annotations: Annotations) -> str | None:
    """Say so where a source looks like CelebA and holds fewer or more images; else None."""
    is_celeba = bool(annotations.tables) or "celeba" in source.path.resolve().name.lower()
    if not is_celeba or len(source.entries) == NUM_IMAGES:
        return None
    return f"CelebA has {NUM_IMAGES:,} images, this source holds {len(source.entries):,}"


def _read_inside(source: Source, entry: Entry) -> bytes:
    with closing(source.open_reader()) as reader:
        try:
            return reader.read(entry)
        except ImageRefused as error:
            raise ShardsError(f"{source.path}: {entry.name}: {error.detail}") from error


def _find_beside(path: Path, file_names: list[str]) -> Path | None:
    path = path.resolve()
    folders = [path.parent]
    if path.parent.name == path.name:
        folders.append(path.parent.parent)
    for folder, place, name in itertools.product(folders, _PLACES, file_names):
        candidate = folder / place / name
        if candidate.is_file():
            return candidate
    return None


def _parse(file_name: str, where: str, content: bytes) -> Table:
    lines = [line for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines or is_html(content):
        what = "an HTML page" if lines else "empty"
        raise ShardsError(f"{where} is {what}, not CelebA's file; get it again")
    name, suffix = posixpath.splitext(file_name)
    delimiter = "," if suffix == ".csv" else None
    if delimiter:
        columns = _parse_csv_header(where, lines.pop(0))
    elif name in _HEADLESS:
        columns = _HEADLESS[name]
    else:
        columns = _parse_header(where, lines)
        lines = lines[2:]
    try:
        values = np.loadtxt(
            lines,
            dtype=np.int32,
            delimiter=delimiter,
            usecols=range(1, len(columns) + 1),
            comments=None,
            ndmin=2,
        )
    except ValueError as error:
        raise ShardsError(f"{where} is not CelebA's file: {error}; get it again") from error
    if name == PARTITION and not set(np.unique(values).tolist()) <= {0, 1, 2}:
        raise ShardsError(f"{where} has a partition other than 0, 1 and 2; get it again")
    names = (line.split(delimiter, maxsplit=1)[0] for line in lines)
    return Table(
        where=where,
        file_name=file_name,
        columns=columns,
        sha256=hashlib.sha256(content).hexdigest(),
        rows={_stem(name.strip()): number for number, name in enumerate(names)},
        values=values,
    )


def _parse_csv_header(where: str, line: str) -> tuple[str, ...]:
    first, *columns = (name.strip() for name in line.removeprefix("\ufeff").split(","))
    if first != "image_id" or not columns:
        raise ShardsError(f"{where} does not begin with image_id and column names; get it again")
    return tuple(columns)


def _parse_header(where: str, lines: list[str]) -> tuple[str, ...]:
    """Return the column names after a check of the announced image count."""
    if len(lines) < 3 or not lines[0].strip().isdecimal():
        raise ShardsError(f"{where} does not begin with an image count; get it again")
    announced, listed = int(lines[0]), len(lines) - 2
    if announced != listed:
        raise ShardsError(f"{where} announces {announced} images and lists {listed}; get it again")
    return tuple(name for name in lines[1].split() if name != "image_id")


def _check_covers(table: Table, source: Source) -> None:
    lacking = [entry.name for entry in source.entries if _stem(entry.name) not in table.rows]
    if lacking:
        raise ShardsError(
            f"{table.where} lists all but {len(lacking)} of the {len(source.entries)} images "
            f"(first: {lacking[0]}); move these images, or the file, elsewhere"
        )


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
