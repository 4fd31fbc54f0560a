"""Finds the row of each image in a table, by the names of the images."""

import operator
import posixpath
from collections.abc import Callable, Sequence

from ..._errors import ShardsError


def find_rows(where: str, names: Sequence[str], images: Sequence[str]) -> list[int] | slice:
    """Return the row of each image, or all rows where they are listed in the images' order."""
    if len(names) == len(images) and all(map(operator.eq, map(_stem, names), map(_stem, images))):
        return slice(None)
    key_of = _choose_key(names)
    rows: dict[str, int] = {}
    for number, name in enumerate(names):
        if rows.setdefault(key_of(name), number) != number:
            raise ShardsError(f"{where} lists {name} twice; keep one of the lines")
    lacking = [name for name in images if key_of(name) not in rows]
    if len(lacking) == len(images):
        raise ShardsError(
            f"{where} lists none of the {len(images)} images: its first is {names[0][:80]!r}, an "
            f"image is {images[0]!r}; write file names into the table, or move it elsewhere"
        )
    if lacking:
        raise ShardsError(
            f"{where} lists all but {len(lacking)} of the {len(images)} images "
            f"(first: {lacking[0]}); move these images, or the table, elsewhere"
        )
    return [rows[key_of(name)] for name in images]


def _choose_key(names: Sequence[str]) -> Callable[[str], str]:
    """Return how to compare names: as paths where file names alone repeat (a/1.jpg, b/1.jpg)."""
    paths = [name for name in names if "/" in _use_slashes(name)]
    if paths and len({_stem(name) for name in names}) < len({_cut(name) for name in names}):
        return _cut
    return _stem


def _use_slashes(name: str) -> str:
    return name.replace("\\", "/")


def _cut(name: str) -> str:
    """Return a path without suffix."""
    return posixpath.splitext(posixpath.normpath(_use_slashes(name)))[0]


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(_use_slashes(name)))[0]
