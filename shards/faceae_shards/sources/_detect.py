"""Where photographs come from, told by what is there."""

import io
import tarfile
import zipfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from .._errors import ShardsError
from .._wording import count_of
from ..images import is_html
from ..storage import Location, is_url, name_of
from ._names import Names
from ._source import Entries, Source, is_image_name, is_other_name
from ._unreadable import (
    FAR_MORE,
    MAX_PREVIEWS,
    explain_no_images,
    note_unread,
    refuse_container,
)
from .annotations import keep_photographs
from .archives import COMPRESSED_STARTS, list_parquet, list_tars, list_zip
from .archives import SUFFIX as PARQUET_SUFFIX
from .files import FolderReader, SourceFiles, detect_kind, open_beside, open_files

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
"""As PowerShell writes text."""
_TAR_SUFFIX = ".tar"
_PARQUET_START = b"PAR1"
_KINDS = "a folder, a zip, a tar, a Parquet file or a text file of paths"


def list_source(location: Location, image_column: str | None = None) -> Source:
    """List the images of a source, telling its kind by what it is, not by its name.

    Folders are read recursively; hidden files and folders and `__MACOSX` are skipped. A folder with
    tars is a set of WebDataset shards, one with Parquet files a dataset as on the Hugging Face Hub;
    a few pictures beside them, such as previews, are left out with a note. In a text file every
    line names an image, or every line a tar, relative to the file's folder or by URL; blank lines
    are skipped.

    Args:
        image_column: which pictures to take where there are several kinds: a column of Parquet
            files, a folder inside the source, or the extension of members of shards.

    Raises:
        ShardsError: there is nothing of these kinds at `location`, or it holds no image.
    """
    kind = detect_kind(location)
    if kind is None:
        raise ShardsError(f"{location} does not exist; give {_KINDS}")
    list_it = _list_folder if kind == "folder" else _list_file
    source = list_it(location, image_column)
    if source.kind in ("folder", "zip", "tar"):
        source = replace(source, notes=(*source.notes, *note_unread(source)))
    if source.kind != "parquet" and source.entries:
        source = keep_photographs(source, image_column)
    if not source.entries:
        raise ShardsError(explain_no_images(source))
    return source


def _list_file(location: Location, image_column: str | None) -> Source:
    files, name = open_beside(location)
    with closing(files):
        start = files.read_start(name)
        _refuse_html(location, start)
        if name_of(location).endswith(PARQUET_SUFFIX) or start.startswith(_PARQUET_START):
            return list_parquet(location, files, [name], single=True, image_column=image_column)
        if name_of(location).endswith(_TAR_SUFFIX) or _is_tar(files, name, start):
            return list_tars(location, files, [name], single=True)
        if _is_zip(files, name, start):
            return list_zip(location)
        refuse_container(location, start)
        return _list_text(location, start)


def _list_folder(location: Location, image_column: str | None) -> Source:
    files = open_files(location)
    with closing(files):
        found = Entries(files.walk()).sorted()
    images, others = found.select(is_image_name), found.select(is_other_name)
    tars = others.select(lambda name: name.endswith(_TAR_SUFFIX))
    parquets = others.select(lambda name: name.endswith(PARQUET_SUFFIX))
    if tars and _choose_archives(location, tars, images):
        source = list_tars(location, files, tars.names, single=False)
        return _note_left_out(source, images)
    if parquets and _choose_archives(location, parquets, images):
        source = list_parquet(
            location, files, parquets.names, single=False, image_column=image_column
        )
        return _note_left_out(source, images)
    return Source(
        kind="folder",
        path=location,
        entries=images,
        others=others,
        open_reader=lambda: FolderReader(open_files(location)),
    )


def _choose_archives(location: Location, archives: Entries, images: Entries) -> bool:
    """Return whether to pack a folder's archives; else its images.

    Raises:
        ShardsError: either may be meant.
    """
    num_archived, num_loose = archives.sum_bytes(), images.sum_bytes()
    if len(images) <= MAX_PREVIEWS or num_loose * FAR_MORE <= num_archived:
        return True
    if num_archived * FAR_MORE <= num_loose:
        return False
    raise ShardsError(
        f"{location} holds {count_of(len(images), 'image')} and "
        f"{count_of(len(archives), 'archive')} ({archives.names[0]} ...); move one kind into "
        "a folder of its own, and give that"
    )


def _note_left_out(source: Source, images: Entries) -> Source:
    if not images:
        return source
    note = f"pictures beside the archives are left out: {images.names[0]}"
    if len(images) > 1:
        note += f" and {len(images) - 1:,} more"
    return replace(source, notes=(*source.notes, note))


def _list_text(location: Location, start: bytes) -> Source:
    lines = _read_lines(location, start)
    parent = open_beside(location)[0].root
    if isinstance(parent, Path) and any(map(is_url, lines)):
        _require_urls(location, lines)
        parent = ""  # which makes them the names of remote files
    files = open_files(parent)
    if lines and all(name_of(name).endswith(_TAR_SUFFIX) for name in lines):
        return list_tars(location, files, lines, single=False)
    with closing(files):
        entries = Entries(files.stat(lines))
    if entries and all(entry.num_bytes is None for entry in entries):
        with closing(files):
            reason = files.explain_missing(lines[0]).detail
        raise ShardsError(
            f"{location}: none of the {len(entries)} files it lists can be read (first: "
            f"{lines[0][:80]}: {reason}); each line is one path, relative to {parent}"
        )
    return Source(
        kind="list",
        path=location,
        entries=entries,
        others=Entries(),
        open_reader=lambda: FolderReader(open_files(parent)),
    )


def _read_lines(location: Location, start: bytes) -> Names:
    """Return the lines that are not blank, each of which is there once."""
    numbers = array("q")

    def read() -> Iterator[str]:
        for number, line in enumerate(_open_text(location, start), start=1):
            name = line.removesuffix("\n").removesuffix("\r")
            if name.strip():
                numbers.append(number)
                yield name

    names = Names(read())
    repeat = names.find_repeat()
    if repeat is not None:
        first, second = repeat
        raise ShardsError(
            f"{location} names {names[first]} on lines {numbers[first]} and {numbers[second]}; "
            "drop one"
        )
    return names


def _require_urls(location: Location, lines: Names) -> None:
    path = next((line for line in lines if not is_url(line)), None)
    if path is not None:
        raise ShardsError(f"{location} names URLs and paths ({path[:80]}); make two lists of them")


def _open_text(location: Location, start: bytes) -> Iterable[str]:
    """Return the lines of a text file with their ends."""
    if start.startswith(_ZIP_STARTS):
        raise ShardsError(f"{location} is a zip cut short; get it again")
    is_utf16 = start.startswith(_UTF16_BOMS) or _is_utf16_text(start)
    if (b"\0" in start and not is_utf16) or name_of(location).lower().endswith(".zip"):
        raise ShardsError(f"{location} is none of these: {_KINDS}")
    files, name = open_beside(location)
    with closing(files):
        content = files.read_file(name).removeprefix(_UTF8_BOM)
    encoding = "utf-8"
    if is_utf16:
        encoding = "utf-16" if start.startswith(_UTF16_BOMS) else "utf-16-le"
    errors = "replace" if is_utf16 else "surrogateescape"
    return io.TextIOWrapper(io.BytesIO(content), encoding, errors, newline="\n")


def _is_utf16_text(start: bytes) -> bool:
    """Return whether a text is UTF-16 as Windows writes it, without a mark at its start."""
    start = start[:64]
    return len(start) > 3 and not any(start[1::2]) and all(start[::2])


def _is_tar(files: SourceFiles, name: str, start: bytes) -> bool:
    if b"\0" not in start and not start.startswith(COMPRESSED_STARTS):
        return False
    with files.open(name) as file:
        return tarfile.is_tarfile(file)


def _is_zip(files: SourceFiles, name: str, start: bytes) -> bool:
    if b"\0" not in start:
        return False
    with files.open(name) as file:
        return zipfile.is_zipfile(file)


def _refuse_html(location: Location, start: bytes) -> None:
    if is_html(start):
        raise ShardsError(
            f"{location} is an HTML page, not an archive or a list of paths: its download was "
            "refused, perhaps by a quota; open it in a browser to read why, then get the file again"
        )
