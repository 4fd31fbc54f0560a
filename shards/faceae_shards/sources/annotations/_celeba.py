"""CelebA's annotation tables: partition, attributes, identities, boxes, landmarks."""

import hashlib
import itertools
import math
import posixpath
from collections.abc import Hashable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import ShardsError
from ..._format import SPLITS, hash_json
from ...images import ImageRefused
from ...storage import Location, is_url, name_of
from .._source import Entry, Source
from .._splits import SPLIT_NAMES
from ..files import open_beside
from ._match import find_rows
from ._tables import parse_table

PARTITION = "list_eval_partition"
ATTRIBUTES = "list_attr_celeba"
IDENTITY = "identity_CelebA"
BOX = "list_bbox_celeba"
LANDMARKS = "list_landmarks_align_celeba"
WILD_LANDMARKS = "list_landmarks_celeba"
WILD_FIELD = "wild_landmarks"
"""Landmarks of photographs that are not aligned; `LANDMARKS` belongs to aligned pictures."""
NUM_IMAGES = 202_599
"""Of CelebA."""

_SUFFIXES = (".txt", ".csv", ".tsv")
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_HEADLESS: dict[str, tuple[str, ...]] = {PARTITION: ("partition",), IDENTITY: ("identity",)}
"""Tables whose .txt has no header lines, and their columns."""
_FIELDS = {
    ATTRIBUTES: "attributes",
    IDENTITY: "identity",
    BOX: "box",
    LANDMARKS: "landmarks",
    WILD_LANDMARKS: WILD_FIELD,
}
"""Tables, and the field that `Annotations.describe` returns for each."""
_SPLIT_WORDS = {word: float(SPLITS.index(split)) for word, split in SPLIT_NAMES.items()}
"""What a partition may say in place of 0, 1 and 2."""
_PLACES = (".", "Anno", "Eval")
"""Folders beside a source that may hold the files; the latter two are CelebA's own."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One annotation file."""

    file_name: str
    columns: tuple[str, ...]
    sha256: str
    """Of the file."""
    values: NDArray[Any]
    """Images x columns, in the order of the source's images. Attributes are int8: -1, 1, and 0 for
    what is missing; elsewhere what is missing is NaN."""


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
        return None if values is None else [SPLITS[int(value)] for value in values]

    def get_identities(self) -> list[Hashable] | None:
        """Return the person each image shows, or None without the identity file.

        Where the file does not say, it is a person of its own.
        """
        values = self._get_column(IDENTITY)
        if values is None:
            return None
        return [("image", n) if math.isnan(value) else value for n, value in enumerate(values)]

    def describe(self, number: int) -> dict[str, Any]:
        """Return the annotations of the source's image `number` as its sample's json holds them."""
        described: dict[str, Any] = {}
        for name, field in _FIELDS.items():
            if name in self.tables:
                table = self.tables[name]
                row = _format_row(field, table.columns, table.values[number].tolist())
                if row is not None:
                    described[field] = row
        return described

    def take(self, numbers: list[int]) -> "Annotations":
        """Return those of the images of these numbers, numbered anew in their order."""
        tables = {
            name: replace(table, values=table.values[numbers])
            for name, table in self.tables.items()
        }
        return replace(self, tables=tables)

    def _get_column(self, name: str) -> list[float] | None:
        return self.tables[name].values[:, 0].tolist() if name in self.tables else None


def find_annotations(source: Source, *, wild_landmarks: bool = False) -> Annotations:
    """Read CelebA's files where they lie inside the source, beside it, or in Anno/ and Eval/ there.

    Beside a folder that lies in one of the same name, as Kaggle's archive unpacks, means beside
    the outer one too. Images are matched by base name without suffix, so that the PNG edition of
    CelebA matches too.

    Args:
        wild_landmarks: read `WILD_LANDMARKS`, too.

    Raises:
        ShardsError: a file is damaged, is there twice, or does not list every image just once.
    """
    tables: dict[str, Table] = {}
    num_inside = 0
    if source.kind in ("shards", "parquet"):  # numbered, and described by their own
        return Annotations(tables=tables, num_files=0)
    images = source.entries.names
    for name in (PARTITION, *_FIELDS):
        if name == WILD_LANDMARKS and not wild_landmarks:
            continue
        file_names = [name + suffix for suffix in _SUFFIXES]
        found = _find_inside(source, file_names)
        if len(found) > 1:
            raise ShardsError(
                f"{source.path} holds {name} twice: {found[0].name}, {found[1].name}; keep one"
            )
        if found:
            num_inside += 1
            where = f"{source.path}: {found[0].name}"
            file_name = posixpath.basename(found[0].name)
            content = _read_inside(source, found[0])
            tables[name] = _parse(name, file_name, where, content, images)
        elif (beside := _find_beside(source.path, file_names)) is not None:
            tables[name] = _parse(name, *beside, images)
    return Annotations(tables=tables, num_files=num_inside)


def describe_shortfall(source: Source, annotations: Annotations) -> str | None:
    """Say so where a source looks like CelebA and holds fewer or more images; else None."""
    is_celeba = bool(annotations.tables) or "celeba" in name_of(source.path).lower()
    if not is_celeba or len(source.entries) == NUM_IMAGES:
        return None
    return f"CelebA has {NUM_IMAGES:,} images, this source holds {len(source.entries):,}"


def _find_inside(source: Source, file_names: list[str]) -> list[Entry]:
    """Return the files of these names, in any case.

    Raises:
        ShardsError: there is a spreadsheet of the name.
    """
    wanted = {name.lower() for name in file_names}
    stems = {posixpath.splitext(name)[0] for name in wanted}
    found = []
    for number, other in enumerate(source.others.names):
        base = posixpath.basename(other).lower()
        if base in wanted:
            found.append(source.others[number])
        stem, suffix = posixpath.splitext(base)
        if stem in stems and suffix in _SPREADSHEETS:
            raise ShardsError(f"{source.path}: {other} is a spreadsheet; save it as CSV")
    return found


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


def _parse(name: str, file_name: str, where: str, content: bytes, images: Sequence[str]) -> Table:
    parsed = parse_table(where, content, _HEADLESS.get(name), _SPLIT_WORDS)
    values = parsed.values
    if name == PARTITION and not set(np.unique(values).tolist()) <= {0, 1, 2}:
        raise ShardsError(f"{where} has a partition other than 0, 1 and 2; get it again")
    if name == ATTRIBUTES:
        values = _normalize_attributes(where, parsed.columns, values)
    return Table(
        file_name=file_name,
        columns=parsed.columns,
        sha256=hashlib.sha256(content).hexdigest(),
        values=values[find_rows(where, parsed.names, images)],
    )


def _normalize_attributes(
    where: str, columns: tuple[str, ...], values: NDArray[Any]
) -> NDArray[np.int8]:
    """Return -1 and 1, and 0 for what is missing, of values that are -1 and 1 or 0 and 1."""
    is_missing = np.isnan(values)
    known = set(np.unique(values[~is_missing]).tolist())
    if not known <= {-1, 1} and not known <= {0, 1}:
        stray = next((value for value in sorted(known) if value not in (-1, 0, 1)), 0)
        column = columns[int(np.argwhere(values == stray)[0, 1])]
        raise ShardsError(
            f"{where}: {column} is {stray:g} for some image; an attribute must be -1 or 1 "
            "throughout the table, or 0 or 1"
        )
    normalized = np.where(values > 0, 1, -1).astype(np.int8)
    normalized[is_missing] = 0
    return normalized


def _format_row(field: str, columns: tuple[str, ...], row: list[float]) -> Any:
    """Return a row as JSON holds it; None where it is missing."""
    if field == "attributes":
        return {name: value for name, value in zip(columns, row, strict=True) if value} or None
    if any(math.isnan(value) for value in row):
        return None
    numbers = [int(value) if value == int(value) else value for value in row]
    if field == "identity":
        return numbers[0]
    if field == "box":
        return numbers
    points = [column.removesuffix("_x") for column in columns[::2]]
    return dict(zip(points, zip(numbers[::2], numbers[1::2], strict=True), strict=True))
