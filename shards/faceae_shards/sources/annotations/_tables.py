"""Annotation tables as text: CelebA's own layout, and CSV from Kaggle, pandas or a spreadsheet.

CelebA's layout (Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015): one line per
image, its file name first, separated by spaces; most tables begin with a line that holds the image
count and a line of column names. CSV has one header line, in which one column names the images.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import ShardsError
from ...images import is_html
from .._names import Names
from .._source import is_image_name

_REMEDY = "correct the table, or move it elsewhere to pack without it"
_LINES_PER_BLOCK = 16_384
_DELIMITERS = ",;\t"
_NAME_COLUMNS = frozenset(
    {"image_id", "image", "image_name", "img", "file", "file_name", "filename", "name", "path"}
)
_INDEX_COLUMN = re.compile(r"|index|id|level_0|unnamed: [\d.]+", re.IGNORECASE)
"""What pandas and others call a column of row numbers."""
_NUMBERS = {
    **dict.fromkeys(("", "nan", "na", "n/a", "null", "none"), np.nan),
    **{"true": 1.0, "false": 0.0},
}
"""What stands for a number, in lower case."""
_PREFACE = re.compile(r"\s*#|sep=.\s*$", re.IGNORECASE)
"""Lines before the header: comments, and the delimiter for Excel."""
_UTF16_STARTS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, kw_only=True)
class ParsedTable:
    """The content of a table."""

    columns: tuple[str, ...]
    """Names of the data columns."""
    names: Names
    """The image of each row."""
    values: NDArray[Any]
    """Rows x columns: the smallest integers that hold all, or float64 with NaN for what is
    missing."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a row is read."""

    where: str
    """Path of the table, for messages."""
    delimiter: str | None
    """None: any white space."""
    width: int
    """Fields per row."""
    name_place: int
    """Field that names the image."""
    value_places: tuple[int, ...]
    words: Mapping[str, float] = field(default_factory=dict)
    """Words that stand for numbers besides `_NUMBERS`, in lower case."""


def parse_table(
    where: str,
    content: bytes,
    headless_columns: tuple[str, ...] | None,
    words: Mapping[str, float] | None = None,
) -> ParsedTable:
    """Parse a table.

    Args:
        where: its path, for messages.
        headless_columns: columns of a table that has no header line in CelebA's layout.
        words: lower-case words that stand for numbers.

    Raises:
        ShardsError: it is empty, HTML, has no column of image names, a row does not fit the header,
            or a value is no number.
    """
    lines = _read_lines(content)
    first = next(lines, None)
    if first is None or is_html(content):
        what = "empty" if first is None else "an HTML page"
        raise ShardsError(f"{where} is {what}, not an annotation table; get it again")
    delimiter = _detect_delimiter(first)
    count = None
    if delimiter is not None:
        columns, layout, has_header = _read_csv_header(where, first, delimiter, headless_columns)
        lines = lines if has_header else itertools.chain([first], lines)
    elif headless_columns is not None:
        columns, layout = headless_columns, _lay_out(where, None, 0, len(headless_columns) + 1)
        lines = itertools.chain([first], lines)
    else:
        count = _parse_count(where, first)
        columns = tuple(name for name in next(lines, "").split() if name != "image_id")
        layout = _lay_out(where, None, 0, len(columns) + 1)
    layout = _with_words(layout, words or {})
    names, values = _parse_rows(layout, lines)
    _check_content(where, columns, names, count)
    return ParsedTable(columns=columns, names=names, values=values)


def _check_content(where: str, columns: tuple[str, ...], names: Names, count: int | None) -> None:
    if not names:
        raise ShardsError(f"{where} lists no image; get it again")
    if count not in (None, len(names)):
        raise ShardsError(f"{where} announces {count} images and lists {len(names)}; get it again")
    repeated = next((name for name in columns if columns.count(name) > 1), None)
    if repeated is not None:
        raise ShardsError(f"{where} has two columns named {repeated}; {_REMEDY}")


def _read_lines(content: bytes) -> Iterator[str]:
    encoding = _detect_encoding(content)
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="replace")
    lines = (line for line in text if line.strip())
    return itertools.dropwhile(_PREFACE.match, lines)


def _detect_encoding(content: bytes) -> str:
    if content.startswith(_UTF16_STARTS):
        return "utf-16"
    start = content[:64]
    if len(start) > 3 and not any(start[1::2]):
        return "utf-16-le"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:  # as Excel in western Europe and America writes text
        return "cp1252"
    return "utf-8-sig"


def _detect_delimiter(first: str) -> str | None:
    best = max(_DELIMITERS, key=first.count)
    return best if best in first else None


def _lay_out(where: str, delimiter: str | None, name_place: int, width: int) -> _Layout:
    """Lay out a row whose fields before the name are row numbers."""
    places = tuple(range(name_place + 1, width))
    return _Layout(
        where=where, delimiter=delimiter, width=width, name_place=name_place, value_places=places
    )


def _with_words(layout: _Layout, words: Mapping[str, float]) -> _Layout:
    return _Layout(**{**vars(layout), "words": words})


def _read_csv_header(
    where: str, line: str, delimiter: str, headless_columns: tuple[str, ...] | None
) -> tuple[tuple[str, ...], _Layout, bool]:
    """Return the data columns, the layout, and whether `line` is a header."""
    header = _split_csv(line, delimiter)
    if headless_columns is not None and is_image_name(header[0]):
        return headless_columns, _lay_out(where, delimiter, 0, len(headless_columns) + 1), False
    lowered = [name.lower() for name in header]
    name_place = next((n for n, name in enumerate(lowered) if name in _NAME_COLUMNS), None)
    if name_place is None and not header[0]:
        name_place = 0  # pandas leaves an index without a name like this
    if name_place is None:
        raise ShardsError(
            f"{where}: none of its columns ({line.strip()[:60]} ...) names the images; call that "
            "column image_id"
        )
    others = [n for n in range(len(header)) if n != name_place]
    places = tuple(n for n in others if not _INDEX_COLUMN.fullmatch(lowered[n]))
    if not places and "id" in lowered:
        places = (lowered.index("id"),)  # which names the person
    if not places:
        raise ShardsError(f"{where} has no column besides the images' names; {_REMEDY}")
    layout = _Layout(
        where=where,
        delimiter=delimiter,
        width=len(header),
        name_place=name_place,
        value_places=places,
    )
    return tuple(header[n] for n in places), layout, True


def _split_csv(line: str, delimiter: str) -> list[str]:
    (fields,) = csv.reader([line.strip("\r\n")], delimiter=delimiter, skipinitialspace=True)
    return [name.strip() for name in fields]


def _parse_count(where: str, line: str) -> int:
    if not line.strip().isdecimal():
        raise ShardsError(
            f"{where} begins neither with an image count, as CelebA's own tables do, nor with the "
            "header of a CSV file; get it again"
        )
    return int(line)


def _parse_rows(layout: _Layout, lines: Iterator[str]) -> tuple[Names, NDArray[Any]]:
    blocks: list[NDArray[Any]] = [np.empty((0, len(layout.value_places)), np.int8)]

    def parse() -> Iterator[str]:
        while block := list(itertools.islice(lines, _LINES_PER_BLOCK)):
            names, values = _parse_plain(layout, block) or _parse_any(layout, block)
            blocks.append(values)
            yield from names

    return Names(parse()), np.concatenate(blocks)


def _parse_plain(layout: _Layout, lines: list[str]) -> tuple[list[str], NDArray[Any]] | None:
    """Parse rows of whole numbers behind the name, at NumPy's speed; None where they are others."""
    place = layout.name_place
    if layout.value_places != tuple(range(place + 1, layout.width)):
        return None
    split = [line.split(layout.delimiter, maxsplit=place + 1) for line in lines]
    if any(len(fields) != place + 2 or '"' in fields[place] for fields in split):
        return None
    try:
        values = np.loadtxt(
            [fields[-1] for fields in split],
            dtype=np.int32,
            delimiter=layout.delimiter,
            comments=None,
            ndmin=2,
        )
    except ValueError:
        return None
    if values.shape != (len(lines), len(layout.value_places)):
        return None
    return [fields[place].strip() for fields in split], _shrink(values)


def _parse_any(layout: _Layout, lines: list[str]) -> tuple[list[str], NDArray[Any]]:
    """Parse rows with quotes, fractions, words, or nothing in a field."""
    names, rows = [], []
    for line in lines:
        fields = _split_row(layout, line)
        name = fields[layout.name_place]
        names.append(name)
        rows.append([_parse_number(layout, name, fields[place]) for place in layout.value_places])
    values = np.array(rows, np.float64)
    is_whole = np.isfinite(values).all() and (values == np.round(values)).all()
    return names, _shrink(values.astype(np.int64)) if is_whole else values


def _split_row(layout: _Layout, line: str) -> list[str]:
    fields = line.split() if layout.delimiter is None else _split_csv(line, layout.delimiter)
    if len(fields) == layout.width + 1 and not fields[-1]:  # a delimiter at the end of the line
        fields.pop()
    if len(fields) != layout.width:
        raise ShardsError(
            f"{layout.where} has {layout.width} columns by its header and {len(fields)} fields in "
            f"the row of {fields[min(layout.name_place, len(fields) - 1)]}; {_REMEDY}"
        )
    return fields


def _parse_number(layout: _Layout, name: str, text: str) -> float:
    word = text.lower()
    value = _NUMBERS.get(word, layout.words.get(word))
    if value is not None:
        return value
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = np.inf
    if not np.isfinite(number):
        raise ShardsError(
            f"{layout.where}: {text[:40]!r} in the row of {name} is no number; {_REMEDY}"
        )
    return number


def _shrink(values: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    """Return the values in the smallest signed type that holds them."""
    lowest = min(values.min(), -1 - values.max())
    return values.astype(np.min_scalar_type(lowest))
