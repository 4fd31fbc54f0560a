"""Files and folders that appear whole or not at all."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART_SUFFIX = ".faceae-part"
"""What a file or folder still being written is called, after its final name. Whatever bears it is
ours to delete."""

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing, of which the system does not say in which file."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield `path` + ".faceae-part" for writing; rename it to `path` when the block ends well.

    What the block writes there (a file, or a folder it makes) is synced to the disk before the
    rename and the folder around it afterwards, so that a file under its final name is whole even
    after a power cut. An exception in the block, Ctrl-C included, removes the part and leaves an
    older `path` as it was. A part that an earlier, killed process left behind is removed first.

    Raises:
        OSError: as the file system reports it, e.g. for a full disk.
    """
    with discard_on_error(path) as part:
        yield part
        publish({part: path})


@contextmanager
def discard_on_error(path: Path) -> Iterator[Path]:
    """Yield `path` + ".faceae-part" for writing, which `publish` later gives its final name.

    An exception in the block, Ctrl-C included, removes the part. One that an earlier, killed
    process left behind is removed first.
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
    """Sync parts, give them their final names, sync the folder.

    Args:
        parts: final names, all in one folder, by the part, on the same file system.

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
    """Write `obj` as indented UTF-8 JSON with a final newline, whole or not at all."""
    with atomic_path(path) as part:
        part.write_bytes(format_json(obj))


def format_json(obj: Any) -> bytes:
    """Return the content of a JSON file."""
    return (json.dumps(obj, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all it holds; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Return what a file is called while it is being written."""
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
