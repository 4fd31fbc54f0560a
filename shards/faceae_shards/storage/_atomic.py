"""Files and folders that appear under their names only when they are complete."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_CLUTTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".localized", ".directory"})
PART_SUFFIX = ".faceae-part"
"""Suffix of files and folders that are still being written. Anything with this suffix may be
deleted."""

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing for which the system does not name the file."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield `path` + ".faceae-part" for writing; rename it to `path` after the block.

    The block creates a file or a folder at that path. It is synced to the disk before the rename,
    and the folder that contains it afterwards, so `path` is complete even after a power cut. An
    exception in the block, Ctrl-C included, removes the part and leaves an older `path` unchanged.
    The part of an earlier process that was killed is removed first.

    Raises:
        OSError: as the file system reports it, e.g. for a full disk.
    """
    with discard_on_error(path) as part:
        yield part
        publish({part: path})


@contextmanager
def discard_on_error(path: Path) -> Iterator[Path]:
    """Yield `path` + ".faceae-part" for writing; `publish` renames it later.

    An exception in the block, Ctrl-C included, removes the part. The part of an earlier process
    that was killed is removed first.
    """
    part = part_of(path)
    remove(part)
    try:
        yield part
    except BaseException as error:
        remove(part)
        if isinstance(error, OSError) and error.filename is None and error.errno in _OF_A_DISK:
            error.filename = str(path)
        raise


def publish(parts: Mapping[Path, Path]) -> None:
    """Sync parts, rename them to their final names, and sync the folders.

    Args:
        parts: final path by part; both on one file system.

    Raises:
        OSError: as the file system reports it.
    """
    for part in parts:
        _sync(part)
    for part, path in parts.items():
        part.replace(path)
    for folder in {path.parent for path in parts.values()}:
        _sync_entry(folder)


def write_json(path: Path, obj: Any) -> None:
    """Write `obj` as `format_json` does; the file appears only when it is complete."""
    with atomic_path(path) as part:
        part.write_bytes(format_json(obj))


def format_json(obj: Any) -> bytes:
    """Return `obj` as indented UTF-8 JSON with a final newline."""
    return (json.dumps(obj, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def is_clutter(name: str) -> bool:
    """Return whether a file was left by a file manager, such as .DS_Store; it is nobody's data."""
    return name in _CLUTTER or name.startswith("._")


def holds_files(folder: Path) -> bool:
    """Return whether a folder holds anything besides what file managers leave in it."""
    return any(not is_clutter(child.name) for child in folder.iterdir())


def remove(path: Path) -> None:
    """Delete a file, a link or a whole folder; do nothing where none is there.

    Other processes may delete the same at the same time.
    """
    if path.is_dir() and not path.is_symlink():
        while path.exists():
            with suppress(FileNotFoundError):  # deleted between the listing and our own deletion
                shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Return the path of a file while it is being written."""
    return path.with_name(path.name + PART_SUFFIX)


def _sync(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _sync(child)
    _sync_entry(path)


def _sync_entry(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder to sync it
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
