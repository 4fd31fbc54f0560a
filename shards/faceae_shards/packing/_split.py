"""Assign images to splits, and say why."""

import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .._format import SPLITS
from ..sources import Annotations, Source, find_folder_splits

_MANY_PEOPLE = 20
"""With this many folders or more, each may be a person, however many pictures it holds."""
_MAX_PICTURES_OF_FEW = 50
"""With fewer folders, and more pictures than this per folder on average, each is a class."""
_MAX_SIZES = 8
"""At most this many pictures of one name may be sizes of one picture."""
_SIZE_WORDS = "thumbs?|thumbnails?|small|medium|large|big|orig|originals?|resized|preview|hq|lq"
_SIZE_SUFFIX = re.compile(
    rf"(?:[-_ .@]+(?:{_SIZE_WORDS}|\d+x\d+|\d+px|\d+w|[1-4]x))+$", re.IGNORECASE
)
"""Ending of the name of another size of a picture, such as _thumb, -300x300 and @2x."""
_COPY_SUFFIX = re.compile(
    r"(?: ?\(\d{1,2}\)|[-_ ]+(?:copy|kopie|edited|bearbeitet)(?: ?\d{1,2})?)+$", re.IGNORECASE
)
"""Ending of the name of a copy, as file managers and phones write it: (1), - Copy, -edited."""
_CLASS_NAMES = """
    male female males females man woman men women boy girl boys girls real fake reals fakes
    angry anger disgust disgusted fear fearful happy happiness neutral sad sadness surprise
    surprised contempt smile smiling nonsmile not_smiling no_smile non_smile young old child adult
    baby glasses eyeglasses no_glasses with_glasses without_glasses mask masked unmasked no_mask
    with_mask without_mask bald beard no_beard asian black white indian latino others
"""
_CLASSES = frozenset(_CLASS_NAMES.split())
"""Folders of these names, in lower case, hold what many people share."""
_SIZE_FOLDER = re.compile(
    rf"(?:.*[-_ ])?(?:{_SIZE_WORDS})|(?:images?|size|thumbnails?)?[-_]?\d{{2,4}}(?:x\d{{2,4}}|px)?",
    re.IGNORECASE,
)
"""A folder that holds one size of all pictures, such as thumbnails128x128, 256 or originals."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The split of a source."""

    by: str
    """partition, source, person or image; see `PackSummary.split_by`."""
    reason: str
    """Why the images are split so, for a person to read."""
    names: list[str]
    """Split of each image."""


def split_entries(
    source: Source,
    annotations: Annotations,
    fractions: tuple[float, float, float],
    seed: int,
) -> Split:
    """Split the images of a source, by the first rule that applies.

    1. CelebA's own partition, where it is known.
    2. The names of tars, Parquet files or folders, such as train, val and test, or a Parquet
       column `split` with these names.
    3. By person, so that nobody is in two splits, where identities are known or each folder is a
       person.
    4. By image. Pictures of one name, such as two sizes of a picture, stay together.
    """
    names = list(source.entries.names)
    partition = annotations.get_partition()
    if partition is not None:
        return Split(by="partition", reason="the partition table of the source", names=partition)
    stored = [split for split in source.entries.splits if split is not None]
    if len(stored) == len(names):
        return Split(by="source", reason=source.split_reason, names=stored)
    folders = find_folder_splits(names)
    if folders is not None:
        return _split_by_folder(folders)
    rng = np.random.default_rng(seed)
    num_splits = sum(share > 0 for share in fractions)
    people, reason = _find_people(source, names, annotations, num_splits)
    if people is not None:
        return Split(by="person", reason=reason, names=_split_by_group(people, fractions, rng))
    groups = _find_groups(source, names)
    if groups is not None:
        pictures = _split_by_group(groups, fractions, rng)
        reason = f"{reason}; pictures of one name stay together"
        return Split(by="image", reason=reason, names=pictures)
    return Split(by="image", reason=reason, names=_split_by_image(len(names), fractions, rng))


def _split_by_folder(folders: Sequence[str | None]) -> Split:
    """Take the splits that folders name. Pictures outside of these folders are for training."""
    found = [split for split in SPLITS if split in folders]
    reason = f"its folders are named {', '.join(found)}"
    num_outside = sum(split is None for split in folders)
    if num_outside:
        reason += f"; {num_outside:,} images outside of them are for training"
    names = [SPLITS[0] if split is None else split for split in folders]
    return Split(by="source", reason=reason, names=names)


def _find_people(
    source: Source, names: Sequence[str], annotations: Annotations, num_splits: int
) -> tuple[Sequence[Hashable] | None, str]:
    """Return the person of each image or None, and why."""
    people = annotations.get_identities() or source.people
    if people is not None:
        return people, "the source names the person of each image"
    if source.kind in ("shards", "parquet"):  # their files hold any images
        return None, "the source names no person"
    return _find_person_folders(names, num_splits)


def _find_person_folders(names: Sequence[str], num_splits: int) -> tuple[list[str] | None, str]:
    """Return the folder of each image where each folder is a person, else None; and why."""
    folders = [posixpath.basename(posixpath.dirname(name)) for name in names]
    counts = Counter(folders)
    depths = {name.count("/") for name in names}
    if len(counts) == 1 or len(depths) > 1:
        return None, "there is not one folder per person"
    mean = len(names) / len(counts)
    if len(counts) < num_splits or (len(counts) < _MANY_PEOPLE and mean > _MAX_PICTURES_OF_FEW):
        return None, f"{len(counts)} folders of {mean:,.0f} images on average are no persons"
    num_classes = sum(re.sub("[- ]", "_", folder.lower()) in _CLASSES for folder in counts)
    if len(counts) < _MANY_PEOPLE and num_classes * 2 >= len(counts):
        return None, f"its folders are classes ({', '.join(sorted(counts)[:3])}), not persons"
    if len(counts) <= _MAX_SIZES and all(map(_SIZE_FOLDER.fullmatch, counts)) and _share(names):
        return None, "its folders hold sizes of the same pictures"
    if all(folder.isdecimal() for folder in counts) and _are_numbered(names):
        return None, "its folders are parts of one numbered collection"
    return folders, f"each of the {len(counts):,} folders is taken for a person"


def _share(names: Sequence[str]) -> bool:
    """Return whether many pictures have the same name as one in another folder."""
    return len({_strip_size(name) for name in names}) <= 0.6 * len(names)


def _are_numbered(names: Sequence[str]) -> bool:
    """Return whether the names are numbers and differ."""
    stems = [posixpath.splitext(posixpath.basename(name))[0] for name in names]
    return all(map(str.isdecimal, stems)) and len(set(stems)) == len(stems)


def _find_groups(source: Source, names: Sequence[str]) -> list[int] | None:
    """Return a number that images share which may be one picture; None where all differ.

    They may be one where their names are, but for folder and size, or their place in an archive
    (links), or their size and checksum (the same file twice in a zip).
    """
    stems = _name_pictures(names)
    first_of: dict[Hashable, int] = {}
    groups: list[int] = []
    for number, (stem, content) in enumerate(zip(stems, _list_contents(source), strict=True)):
        group = first_of.get(stem, first_of.get(content, number) if content else number)
        groups.append(group)
        first_of.setdefault(stem, group)
        if content is not None:
            first_of.setdefault(content, group)
    return groups if len(set(groups)) < len(groups) else None


def _list_contents(source: Source) -> Iterator[tuple[Hashable, ...] | None]:
    """Yield what is equal for images of equal bytes; None for each image of another source."""
    if source.kind not in ("tar", "zip"):
        yield from itertools.repeat(None, len(source.entries))
        return
    for entry in source.entries:
        if entry.crc is not None:
            yield entry.num_bytes, entry.crc
        else:
            yield (entry.num_bytes, *entry.place) if source.kind == "tar" else None


def _name_pictures(names: Sequence[str]) -> list[str]:
    """Return a name for each image that the sizes and copies of one picture share.

    Where more images share a name than a picture has sizes, the endings are numbers of pictures.
    """
    for strip in (_strip_copy, _strip_size):
        stripped = list(map(strip, names))
        if max(Counter(stripped).values()) <= _MAX_SIZES:
            return stripped
    if max(Counter(names).values()) > _MAX_SIZES:  # as rows of Parquet may be named
        return list(map(str, range(len(names))))
    return list(names)


def _strip_copy(name: str) -> str:
    """Return the name of a picture without folder, suffix, size and what marks a copy."""
    stem = posixpath.splitext(posixpath.basename(name))[0]
    return _strip_size(f"{_COPY_SUFFIX.sub('', stem) or stem}.")


def _strip_size(name: str) -> str:
    """Return the name of a picture without folder, suffix and size."""
    stem = posixpath.splitext(posixpath.basename(name))[0]
    return _SIZE_SUFFIX.sub("", stem).lower() or stem


def _split_by_image(
    num_images: int, fractions: tuple[float, float, float], rng: np.random.Generator
) -> list[str]:
    num_valid, num_test = _count_held_out(num_images, fractions)
    splits = [SPLITS[0]] * num_images
    order = rng.permutation(num_images).tolist()
    for number in order[:num_valid]:
        splits[number] = SPLITS[1]
    for number in order[num_valid : num_valid + num_test]:
        splits[number] = SPLITS[2]
    return splits


def _count_held_out(num_images: int, fractions: tuple[float, float, float]) -> tuple[int, int]:
    """Return how many images valid and test get: at least one each, where they are asked for."""
    if num_images < sum(share > 0 for share in fractions):
        return 0, 0
    num_valid, num_test = (max(round(num_images * s), 1) if s > 0 else 0 for s in fractions[1:])
    return num_valid, num_test


def _split_by_group(
    groups: Sequence[Hashable], fractions: tuple[float, float, float], rng: np.random.Generator
) -> list[str]:
    """Assign groups, largest first, each to the split that lacks most (Sainte-Laguë method).

    The few large groups go where they distort the fractions least, and the many small ones level
    the rest. So every split gets people with many pictures and people with one. A split that is
    empty at the end gets the smallest group of a split that has several.
    """
    counts = list(Counter(groups).items())
    shuffled = [counts[number] for number in rng.permutation(len(counts))]
    wanted = [(name, share) for name, share in zip(SPLITS, fractions, strict=True) if share > 0]
    held = dict.fromkeys(SPLITS, 0)
    chosen: dict[Hashable, str] = {}
    for group, count in sorted(shuffled, key=lambda item: -item[1]):
        name, _ = min(wanted, key=lambda item: (held[item[0]] + count / 2) / item[1])
        held[name] += count
        chosen[group] = name
    _fill_empty(chosen, [name for name, _ in wanted])
    return [chosen[group] for group in groups]


def _fill_empty(chosen: dict[Hashable, str], wanted: Iterable[str]) -> None:
    """Give each empty split the smallest group of the split that has the most groups."""
    if len(chosen) < len(list(wanted)):
        return
    for name in wanted:
        if name not in chosen.values():
            richest, _ = Counter(chosen.values()).most_common(1)[0]
            smallest = next(group for group in reversed(chosen) if chosen[group] == richest)
            chosen[smallest] = name
