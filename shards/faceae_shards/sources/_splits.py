"""Splits as people name them: folders, tars and Parquet files called train, val, test and alike."""

import re
from collections.abc import Sequence

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""The split that each name stands for, in lower case."""

_WORDS = "|".join(sorted(SPLIT_NAMES, key=len, reverse=True))
_FOLDER = re.compile(rf"(?:split=)?({_WORDS})", re.IGNORECASE)
"""A folder's name; with `split=` as Hive writes partitions."""
_FILE = re.compile(rf"(?:.*[-_.])?({_WORDS})(?:[-_.].*)?", re.IGNORECASE)
"""The name of a tar or Parquet file, such as train-00000.tar or faces_val.parquet."""


def find_file_splits(names: Sequence[str]) -> list[str] | None:
    """Return the split of each tar or Parquet file by its name or a folder it lies in.

    None where some file has none, or where they do not name training and another split.
    """
    splits = [find_folder_split(name) or _match(_FILE, name.rpartition("/")[2]) for name in names]
    known = [split for split in splits if split is not None]
    return known if len(known) == len(splits) and _is_partition(known) else None


def find_folder_splits(names: Sequence[str]) -> list[str | None] | None:
    """Return the split of each image by the folders it lies in; None for one in no such folder.

    Returns None in place of the list where the folders do not name training and another split.
    """
    by_folder: dict[str, str | None] = {}
    splits = []
    for name in names:
        folder = name.rpartition("/")[0]
        if folder not in by_folder:
            by_folder[folder] = find_folder_split(name)
        splits.append(by_folder[folder])
    return splits if _is_partition(set(splits)) else None


def find_folder_split(name: str) -> str | None:
    """Return the split that the outermost folder of that kind in a path names."""
    for folder in name.split("/")[:-1]:
        split = _match(_FOLDER, folder)
        if split is not None:
            return split
    return None


def _is_partition(splits: "set[str | None] | Sequence[str]") -> bool:
    return "train" in splits and len(set(splits) - {None}) > 1


def _match(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.fullmatch(text)
    return None if match is None else SPLIT_NAMES[match[1].lower()]
