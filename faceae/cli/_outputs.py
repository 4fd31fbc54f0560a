"""Checks of output paths, before a verb starts to work."""

from pathlib import Path

from faceae.errors import FaceaeError


def check_out_file(path: Path) -> None:
    """Raise FaceaeError unless a file can be written as `path`."""
    if path.is_dir():
        raise FaceaeError(f"{path}: is a folder; name a file in it")
    check_parent(path)


def check_parent(path: Path) -> None:
    """Raise FaceaeError unless the parent folder of `path` exists."""
    if not path.parent.is_dir():
        raise FaceaeError(f"{path}: there is no folder {path.parent}; create it first")
