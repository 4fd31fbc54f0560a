"""Which image goes to which split."""

import posixpath
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from .._format import SPLITS
from ..sources import Annotations, Source


def split_entries(
    source: Source,
    annotations: Annotations,
    fractions: tuple[float, float, float],
    seed: int,
) -> tuple[str, list[str]]:
    """Return by what the images were split, and the split of each.

    By CelebA's own partition where it is known; else as the source itself says; else by person, so
    that nobody is in two splits, where identities are known or the images lie in one folder a
    person; else by image.
    """
    entries = source.entries
    partition = annotations.get_partition()
    if partition is not None:
        return "partition", partition
    told = [split for split in entries.splits if split is not None]
    if len(told) == len(entries):
        return "source", told
    people: Sequence[Hashable] | None = annotations.get_identities() or source.people
    if people is None and source.kind not in ("shards", "parquet"):  # of which each holds whatever
        people = _get_person_folders(entries.names)
    rng = np.random.default_rng(seed)
    if people is not None:
        return "person", _split_by_group(people, fractions, rng)
    return "image", _split_by_image(len(entries), fractions, rng)


def _get_person_folders(names: Sequence[str]) -> list[str] | None:
    """Return each image's folder where there are several, all equally deep."""
    folders = [posixpath.dirname(name) for name in names]
    distinct = set(folders)
    depths = {name.count("/") for name in names}
    return folders if len(distinct) > 1 and len(depths) == 1 else None


def _split_by_image(
    num_images: int, fractions: tuple[float, float, float], rng: np.random.Generator
) -> list[str]:
    num_valid, num_test = (round(num_images * fraction) for fraction in fractions[1:])
    splits = [SPLITS[0]] * num_images
    order = rng.permutation(num_images).tolist()
    for number in order[:num_valid]:
        splits[number] = SPLITS[1]
    for number in order[num_valid : num_valid + num_test]:
        splits[number] = SPLITS[2]
    return splits


def _split_by_group(
    groups: Sequence[Hashable], fractions: tuple[float, float, float], rng: np.random.Generator
) -> list[str]:
    """Deal out groups, largest first, each to the split that lacks most (Sainte-Lague's rule).

    The few large groups go where they distort least, and the many small ones level the rest, so
    that every split gets people with many pictures and people with one.
    """
    counts = list(Counter(groups).items())
    shuffled = [counts[number] for number in rng.permutation(len(counts))]
    wanted = [(name, share) for name, share in zip(SPLITS, fractions, strict=True) if share > 0]
    held = dict.fromkeys(SPLITS, 0)
    chosen = {}
    for group, count in sorted(shuffled, key=lambda item: -item[1]):
        name, _ = min(wanted, key=lambda item: (held[item[0]] + count / 2) / item[1])
        held[name] += count
        chosen[group] = name
    return [chosen[group] for group in groups]
