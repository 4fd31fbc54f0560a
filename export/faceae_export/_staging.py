"""Write an export to a temporary folder first, and move it to its place once it is checked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceae_shards import PART_SUFFIX, atomic_path


@contextmanager
def stage(path: Path) -> Iterator[Path]:
    """Yield the path of a file of the same name in a new folder beside `path`.

    The folder is deleted at the end of the block.
    """
    folder = path.with_name(f"{path.name}.new{PART_SUFFIX}")
    shutil.rmtree(folder, ignore_errors=True)  # a killed process may have left it
    folder.mkdir()
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder)


def publish(staged: Path, path: Path) -> None:
    """Move `staged` to `path`, and the other files of its folder beside it.

    `path` is moved last, so that an existing `path` is always complete.
    """
    companions = [other for other in staged.parent.iterdir() if other != staged]
    if companions:
        path.unlink(missing_ok=True)  # an older file does not fit the new companions
    for file in (*companions, staged):
        with atomic_path(path.with_name(file.name)) as part:
            file.rename(part)
