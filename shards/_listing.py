"""Where photographs come from, told by what is there."""

import tarfile
import zipfile
from pathlib import Path

from ._decode import is_html
from ._errors import ShardsError
from ._folder import FolderReader, stat_entry, walk
from ._sources import IMAGE_SUFFIXES, Entries, Source, is_image_name, is_other_name
from ._tar_source import list_tars
from ._zip import list_zip

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_UTF8_BOM = b"\xef\xbb\xbf"
_TAR_SUFFIX = ".tar"
_KINDS = "a folder, a zip, a tar or a text file of paths"


def list_source(path: Path) -> Source:
    """List the images of a source, telling its kind by what it is, not by its name.

    Folders are read recursively; hidden files and folders and `__MACOSX` are skipped. A folder
    without images but with tars is a set of WebDataset shards. In a text file every line names an
    image, or every line a tar, relative to the file's folder; blank lines are skipped.

    Raises:
        ShardsError: there is nothing of these kinds at `path`, or it holds no image.
    """
    if path.is_dir():
        source = _list_folder(path)
    elif path.is_file():
        source = _list_file(path)
    else:
        raise ShardsError(f"{path} does not exist; give {_KINDS}")
    if not source.entries:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        raise ShardsError(f"{path} holds no images (files ending in {suffixes})")
    return source


def _list_file(path: Path) -> Source:
    if path.suffix == _TAR_SUFFIX or tarfile.is_tarfile(path):
        _refuse_html(path)
        return list_tars(path, ())
    return list_zip(path) if zipfile.is_zipfile(path) else _list_text(path)


def _list_folder(root: Path) -> Source:
    found = Entries(walk(root)).sorted()
    images, others = found.select(is_image_name), found.select(is_other_name)
    tars = [name for name in others.names if name.endswith(_TAR_SUFFIX)]
    if tars and not images:
        return list_tars(root, tars)
    return Source(
        kind="folder",
        path=root,
        entries=images,
        others=others,
        open_reader=lambda: FolderReader(root),
    )


def _list_text(path: Path) -> Source:
    lines: dict[str, int] = {}
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        name = line.removesuffix("\r")
        if not name.strip():
            continue
        if name in lines:
            raise ShardsError(f"{path} names {name} on lines {lines[name]} and {number}; drop one")
        lines[name] = number
    if lines and all(name.endswith(_TAR_SUFFIX) for name in lines):
        return list_tars(path, list(lines))
    entries = Entries(stat_entry(name, path.parent / name) for name in lines)
    if entries and all(entry.num_bytes is None for entry in entries):
        raise ShardsError(
            f"{path}: none of the {len(entries)} paths it lists exists (first: "
            f"{entries[0].name[:80]}); they are taken relative to {path.parent}"
        )
    return Source(
        kind="list",
        path=path,
        entries=entries,
        others=Entries(),
        open_reader=lambda: FolderReader(path.parent),
    )


def _read_text(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(4096)
    if start.startswith(_ZIP_STARTS):
        raise ShardsError(f"{path} is a zip cut short; get it again")
    _refuse_html(path)
    if b"\0" in start or path.suffix.lower() == ".zip":
        raise ShardsError(f"{path} is none of these: {_KINDS}")
    return path.read_bytes().removeprefix(_UTF8_BOM).decode("utf-8", "surrogateescape")


def _refuse_html(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(4096)
    if is_html(start):
        raise ShardsError(
            f"{path} is an HTML page, not an archive or a list of paths: its download was refused, "
            "perhaps by a quota; open it in a browser to read why, then get the file again"
        )
