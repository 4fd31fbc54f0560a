"""Which pictures of a source are its photographs: not masks, segmentations or depth maps."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..._errors import ShardsError
from ...storage import Location
from .._source import Source

_WORDS = (
    "mask|masks|seg|segs|segmentation|segmentations|segmap|segmaps|semantic|parsing|parsings|label|"
    "labels|anno|annos|annotation|annotations|matte|mattes|alpha|trimap|depth|normals|edges|canny|"
    "sketch|sketches|heatmap|heatmaps|conditioning|conditioning_image|colormap"
)
_COMPANION_FOLDER = re.compile(rf"(?:.*[-_. ])?(?:{_WORDS})(?:[-_. ].*)?", re.IGNORECASE)
"""The name of a folder that holds masks, such as CelebAMask-HQ-mask-anno."""
_WEARS_MASK = re.compile(r"(?:.*[-_. ])?(?:with|without|no)[-_. ]?masks?", re.IGNORECASE)
"""The name of a folder of photographs of people with a face mask, or without one."""
_IS_MASK = re.compile(r"masks?", re.IGNORECASE)
"""Beside a folder of people without a face mask, one of people with a mask."""
_PARTS = (
    "skin|nose|hair|hat|neck|neck_l|cloth|mouth|u_lip|l_lip|eye_g|ear_r|l_eye|r_eye|l_brow|r_brow|"
    "l_ear|r_ear"
)
"""CelebAMask-HQ's parts of a face, each of which has a mask of its own."""
_COMPANION_NAME = re.compile(rf"(?P<stem>.+?)[-_. ](?:{_WORDS}|{_PARTS})\d*", re.IGNORECASE)
"""The name, without its suffix, of a mask beside its photograph, such as 000001_mask."""
_PREFIXED_NAME = re.compile(rf"(?:{_WORDS})[-_. ](?P<stem>.+)", re.IGNORECASE)
"""The same with the word first, such as mask_000001."""


def keep_photographs(source: Source, image_column: str | None) -> Source:
    """Leave out what lies beside the photographs of a source, and note it.

    Args:
        image_column: the photographs: a folder inside the source, or in WebDataset shards the
            extension of their members, such as `jpg`. None: everything but pictures whose folder
            or name says that they are masks of other ones.

    Raises:
        ShardsError: no picture lies in this folder or has this extension, or samples of a shard
            hold several pictures.
    """
    names = source.entries.names
    if image_column is not None:
        return _take(source, _find_named(source.path, names, image_column))
    is_companion = _find_companions(names)
    _check_one_per_sample(source, names, is_companion)
    if not is_companion.any():
        note = _describe_twins(names)
        return source if note is None else replace(source, notes=(*source.notes, note))
    where = ", ".join(_count_folders(names, is_companion))
    if is_companion.all():
        note = f"all pictures may be masks by the names of their folders ({where}): look at them"
        return replace(source, notes=(*source.notes, note))
    note = (
        f"left out {int(is_companion.sum()):,} pictures that are masks or annotations by their "
        f"names ({where}); `image_column` names another folder or extension to pack"
    )
    kept = _take(source, ~is_companion)
    return replace(kept, notes=(*kept.notes, note))


def _check_one_per_sample(
    source: Source, names: Sequence[str], is_companion: NDArray[np.bool_]
) -> None:
    """Refuse shards whose samples hold pictures of two kinds, such as jpg and png."""
    if source.kind != "shards":
        return
    seen: dict[str, str] = {}
    for name, is_left_out in zip(names, is_companion, strict=True):
        key = name.removesuffix(f".{_extension(name)}")
        if not is_left_out and seen.setdefault(key, name) != name:
            raise ShardsError(
                f"{source.path}: the sample {key} holds two pictures, {_extension(seen[key])} and "
                f"{_extension(name)}; say which to pack: `image_column={_extension(name)!r}`"
            )


def _describe_twins(names: Sequence[str]) -> str | None:
    """Return a note where most pictures have a twin of another suffix, which may be a mask."""
    twins: dict[str, str] = {}
    pairs = [
        (twins[stem], name)
        for name in names
        if twins.setdefault(stem := _stem(name).lower(), name) != name
    ]
    if len(pairs) * 4 < len(names):
        return None
    first, second = pairs[0]
    return (
        f"{len(pairs):,} pictures have the name of another one but for the suffix ({first}, "
        f"{second}) and are packed too; if they are masks, name the suffix of the photographs: "
        f"`image_column={_extension(first)!r}`"
    )


def _take(source: Source, is_kept: NDArray[np.bool_]) -> Source:
    return replace(source, entries=source.entries.take(np.flatnonzero(is_kept).tolist()))


def _find_named(location: Location, names: Sequence[str], image_column: str) -> NDArray[np.bool_]:
    wanted = image_column.strip("/")
    folder = f"/{wanted}/"
    is_kept = np.fromiter((folder in f"/{name}" for name in names), np.bool_, len(names))
    if not is_kept.any():
        extension = wanted.removeprefix(".").lower()
        found = (_extension(name) == extension for name in names)
        is_kept = np.fromiter(found, np.bool_, len(names))
    if not is_kept.any():
        folders = sorted({posixpath.dirname(name) for name in names} - {""})
        extensions = sorted({_extension(name) for name in names})
        there = ", ".join([*folders[:5], *extensions[:5]])
        raise ShardsError(
            f"{location} holds no folder and no extension `image_column={image_column!r}`; it "
            f"holds {there}"
        )
    return is_kept


def _extension(name: str) -> str:
    """Return what follows the first dot of a file's name, as WebDataset reads it."""
    return posixpath.basename(name).partition(".")[2].lower()


def _find_companions(names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which pictures are masks of others, by the names of folders and files."""
    stems = set(map(_stem, names))
    in_folder = _are_in_companion_folders(names)
    found = (
        is_inside or any(other in stems for other in _list_photographs(name))
        for name, is_inside in zip(names, in_folder, strict=True)
    )
    return np.fromiter(found, np.bool_, len(names))


def _list_photographs(name: str) -> Iterator[str]:
    """Yield the paths, without suffix, of the photographs whose mask a picture may be."""
    folder, base = posixpath.split(_stem(name))
    for pattern in (_COMPANION_NAME, _PREFIXED_NAME):
        match = pattern.fullmatch(base)
        if match is not None:
            yield posixpath.join(folder, match["stem"])
            yield posixpath.join(folder, match["stem"].lstrip("0") or "0")  # 00001_hair of 1


def _are_in_companion_folders(names: Sequence[str]) -> Iterator[bool]:
    folders = {posixpath.dirname(name) for name in names}
    parts = {part for folder in folders for part in folder.split("/")}
    are_classes = any(map(_WEARS_MASK.fullmatch, parts))
    masks = {
        part
        for part in parts
        if _COMPANION_FOLDER.fullmatch(part)
        and not _WEARS_MASK.fullmatch(part)
        and not (are_classes and _IS_MASK.fullmatch(part))
    }
    known = {folder: not masks.isdisjoint(folder.split("/")) for folder in folders}
    return (known[posixpath.dirname(name)] for name in names)


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _count_folders(names: Sequence[str], chosen: NDArray[np.bool_]) -> list[str]:
    """Describe the folders with most of the chosen pictures."""
    counts = Counter(
        posixpath.dirname(name) or posixpath.basename(name)
        for name, is_chosen in zip(names, chosen, strict=True)
        if is_chosen
    )
    return [name for name, _ in counts.most_common(3)]
