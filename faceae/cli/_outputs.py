"""Paths to write to: checked before a verb starts to work, and proposed for the next verb."""

from pathlib import Path

from faceae.errors import FaceaeError
from faceae_shards import Location

from ._command import suggest_next


def check_out_file(path: Path) -> None:
    """Raise FaceaeError unless a file can be written as `path`."""
    if path.is_dir():
        raise FaceaeError(f"{path}: is a folder; name a file in it")
    check_parent(path)


def check_parent(path: Path) -> None:
    """Raise FaceaeError unless the parent folder of `path` exists."""
    if not path.parent.is_dir():
        raise FaceaeError(f"{path}: there is no folder {path.parent}; create it first")


def propose_beside(location: Location, name: str) -> Path:
    """Return a path that does not exist: `name` or `name-2`, `name-3`, ... beside `location`.

    Beside a URL means in the current folder.
    """
    folder = location.parent if isinstance(location, Path) else Path()
    first = path = folder / name
    number = 1
    while path.exists():
        number += 1
        path = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return path


def suggest_training(data: Location) -> None:
    """Propose the training on a new dataset that README describes."""
    recipe = ("--model", "adversarial", "--latent-size", 128, "--batch-size", 32)
    suggest_next("train", data, "--run", propose_beside(data, "runs/a"), *recipe)
