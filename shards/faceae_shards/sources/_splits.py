"""Splits as people name them: folders, tars and Parquet files called train, val, test and alike."""

import re
from collections.abc import Callable, Iterable, Sequence

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""The split that each name stands for, in lower case."""

_WORDS = "|".join(sorted(SPLIT_NAMES, key=len, reverse=True))
_EXACT = re.compile(rf"(?:split=)?({_WORDS})", re.IGNORECASE)
"""A folder's name; with `split=` as Hive writes partitions."""
_LOOSE = re.compile(rf"(?:.*[-_. =\d])?({_WORDS})(?:sets?|[AB])?(?:[-_. \d].*)?", re.IGNORECASE)
"""A name with such a word, bounded as on the Hugging Face Hub: Training Set, WIDER_train, test2,
train-00000.tar; also trainset, and trainA and trainB as CycleGAN's data sets have them."""


def find_file_splits(names: Sequence[str]) -> list[str] | None:
    """Return the split of each tar or Parquet file by its name or a folder it lies in.

    None where some file has none, or where they do not name training and another split.
    """
    splits = [find_folder_split(name) or _match(_LOOSE, name.rpartition("/")[2]) for name in names]
    known = [split for split in splits if split is not None]
    return known if len(known) == len(splits) and _is_partition(known) else None


def find_folder_splits(names: Sequence[str]) -> list[str | None] | None:
    """Return the split of each image by the folders it lies in; None for one in no such folder.

    Where folders of this kind lie in each other, the outer ones count, unless only the inner ones
    name training and another split. Returns None in place of the list where neither do.
    """
    for find in (find_folder_split, _find_inner_split):
        splits = _find_each(names, find)
        if _is_partition(set(splits)):
            return splits
    return None


def find_value_splits(values: Sequence[object]) -> list[str | None] | None:
    """Return the split that each value of a table names; None for one that names none.

    Returns None in place of the list where they do not name training and another split.
    """
    found = {value: _match(_EXACT, str(value).strip()) for value in set(values)}
    return list(map(found.__getitem__, values)) if _is_partition(set(found.values())) else None


def find_folder_split(name: str) -> str | None:
    """Return the split that the outermost folder of that kind in a path names."""
    return _find_first(name.split("/")[:-1])


def _find_inner_split(name: str) -> str | None:
    return _find_first(name.split("/")[-2::-1])


def _find_first(folders: Iterable[str]) -> str | None:
    """Return the split that the first folder names, one named train rather than train_data."""
    folders = list(folders)
    found = (_match(pattern, folder) for pattern in (_EXACT, _LOOSE) for folder in folders)
    return next((split for split in found if split is not None), None)


def _find_each(names: Sequence[str], find: Callable[[str], str | None]) -> list[str | None]:
    by_folder: dict[str, str | None] = {}
    splits = []
    for name in names:
        folder = name.rpartition("/")[0]
        if folder not in by_folder:
            by_folder[folder] = find(name)
        splits.append(by_folder[folder])
    return splits


def _is_partition(splits: "set[str | None] | Sequence[str]") -> bool:
    return "train" in splits and len(set(splits) - {None}) > 1


def _match(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.fullmatch(text)
    return None if match is None else SPLIT_NAMES[match[1].lower()]
