"""Plan a pack: decide which image becomes which sample of which shard.

The plan depends on the options and the source alone. So any process may pack any shard at any time,
and an interrupted pack can go on from the shards that are done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from .._errors import ShardsError
from .._format import SPLITS
from ..dataset import KEY_DIGITS, PackOptions, SourceInfo
from ..faces import MAX_FACES, WEIGHTS_SHA256, check_detector
from ..images import MAX_PIXELS, find_resizer
from ..sources import (
    WILD_FIELD,
    Annotations,
    Entries,
    Entry,
    Source,
    describe_shortfall,
    escape,
    find_annotations,
    list_source,
)
from ..storage import name_of
from ._config import PackConfig, choose_samples_per_shard
from ._duplicates import find_duplicates
from ._encoder import list_own_fields
from ._split import split_entries


@dataclass(frozen=True, kw_only=True)
class PlannedImage:
    """One image of a shard."""

    key: int
    """Number of the image in its split."""
    entry: Entry
    annotations: dict[str, Any]
    duplicate_of: str | None
    """Name of the image that it repeats, where it is left out as a duplicate."""


@dataclass(frozen=True, kw_only=True)
class ShardSlot:
    """The place of a shard in the dataset."""

    split: str
    name: str
    """Path of the tar inside the dataset."""
    start: int
    stop: int
    """The keys of its images are `range(start, stop)`."""


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One shard to pack. It holds all that a worker needs besides the options, in columns."""

    slot: ShardSlot
    entries: Entries
    annotations: Annotations
    originals: dict[int, str]
    """For the place of each duplicate in the shard, the name of the image that it repeats."""

    def images(self) -> Iterator[PlannedImage]:
        """Yield the images, in order."""
        for place, entry in enumerate(self.entries):
            yield PlannedImage(
                key=self.slot.start + place,
                entry=entry,
                annotations=self.annotations.describe(place),
                duplicate_of=self.originals.get(place),
            )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All shards to pack."""

    config: PackConfig
    source: Source
    annotations: Annotations
    split_by: str
    split_reason: str
    """See `Split`."""
    notes: tuple[str, ...]
    """Remarks on the source, one line each."""
    order: dict[str, NDArray[np.int64]]
    """By split, the numbers of its images in the source, in the order they are stored."""
    duplicates: dict[int, int]
    """For the number of each image to leave out, the number of the image that it repeats."""

    @property
    def num_images(self) -> int:
        """Images of the source."""
        return len(self.source.entries)

    @property
    def num_ignored(self) -> int:
        """Files of the source that are neither images nor annotations."""
        return len(self.source.others) - self.annotations.num_files

    @property
    def samples_per_shard(self) -> int:
        """Images per shard. The last shard of a split may hold fewer."""
        return self.config.samples_per_shard or choose_samples_per_shard(self.num_images)

    def slots(self) -> Iterator[ShardSlot]:
        """Yield every shard, in order."""
        for split, numbers in self.order.items():
            yield from cut_split(split, range(len(numbers)), self.samples_per_shard)

    def make_task(self, slot: ShardSlot) -> ShardTask:
        """Return the task that packs one shard."""
        numbers = self.order[slot.split][slot.start : slot.stop].tolist()
        names = self.source.entries.names
        return ShardTask(
            slot=slot,
            entries=self.source.entries.take(numbers),
            annotations=self.annotations.take(numbers),
            originals={
                place: names[self.duplicates[number]]
                for place, number in enumerate(numbers)
                if number in self.duplicates
            },
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that a sample's json may hold besides name, width and height."""
        brought = self.annotations.fields or self.source.fields
        fields = (*brought, *list_own_fields(self.config))
        return tuple(name for name in dict.fromkeys(fields) if name != WILD_FIELD)

    @property
    def options(self) -> PackOptions:
        """Options and source that decide about the bytes of the dataset."""
        config = self.config
        return PackOptions(
            crop=config.kept_crop,
            size=config.size,
            encoding=config.encoding,
            samples_per_shard=self.samples_per_shard,
            split=config.split,
            seed=config.seed,
            drop_duplicates=config.drop_duplicates,
            image_column=config.image_column,
            max_pixels=None if config.max_pixels == MAX_PIXELS else config.max_pixels,
            align=config.face if config.align else None,
            detector_sha256=WEIGHTS_SHA256 if config.align else None,
            source=SourceInfo(
                kind=self.source.kind,
                name=escape(name_of(self.source.path)),
                num_images=self.num_images,
                num_ignored=self.num_ignored,
                sha256=self._listing_sha256,
                annotations_sha256=self.annotations.hash(),
            ),
        )

    @cached_property
    def _listing_sha256(self) -> str:
        return self.source.hash_listing(with_times=False)

    def identify_run(self) -> dict[str, Any]:
        """Return the values that must be equal for an interrupted pack to go on."""
        import simplejpeg

        return {
            **self.options.to_json(),
            "times": self.source.hash_listing(with_times=True),
            "libraries": {
                "Pillow": PIL.__version__,
                "simplejpeg": simplejpeg.__version__,
                "cykooz-resizer": find_resizer(),
                **({"OpenCV": check_detector()} if self.config.align else {}),
            },
        }


def cut_split(split: str, keys: range, samples_per_shard: int) -> Iterator[ShardSlot]:
    """Yield the shards of a split, in order."""
    for shard, start in enumerate(keys[::samples_per_shard]):
        stop = min(start + samples_per_shard, keys.stop)
        name = f"{split}/{split}-{shard:06}.tar"
        yield ShardSlot(split=split, name=name, start=start, stop=stop)


def make_plan(config: PackConfig) -> Plan:
    """List the source, split it and shuffle each split.

    Raises:
        ShardsError: the source cannot be used, or leaves no image to train on.
    """
    source = list_source(config.source, config.image_column)
    annotations = find_annotations(source, wild_landmarks=config.align)
    split = split_entries(source, annotations, config.split, config.seed)
    order = {}
    for number, name in enumerate(SPLITS):
        is_member = np.fromiter((name == each for each in split.names), np.bool_, len(split.names))
        members = np.flatnonzero(is_member)
        rng = np.random.default_rng([config.seed, number])
        order[name] = members[rng.permutation(len(members))]
    _check_keys(config, max(map(len, order.values())))
    if not len(order[SPLITS[0]]):
        raise ShardsError(f"{config.source} has no image to train on; check the partition file")
    found = (
        describe_shortfall(source, annotations),
        _describe_empty(config, split.by, {name for name in order if len(order[name])}),
    )
    return Plan(
        config=config,
        source=source,
        annotations=annotations,
        split_by=split.by,
        split_reason=split.reason,
        notes=(*source.notes, *(note for note in found if note is not None)),
        order=order,
        duplicates=find_duplicates(source, config.num_processes) if config.drop_duplicates else {},
    )


def _check_keys(config: PackConfig, num_images: int) -> None:
    """Check that the keys of a split's images have few enough digits."""
    if config.align and config.face == "all" and num_images * MAX_FACES > 10**KEY_DIGITS:
        raise ShardsError(
            f"`face='all'` packs at most {10**KEY_DIGITS // MAX_FACES:,} images per split, got "
            f"{num_images:,}; pack parts of {config.source}, or choose `face='largest'`"
        )


def _describe_empty(config: PackConfig, split_by: str, filled: set[str]) -> str | None:
    """Return a note on the splits that were asked for and get no image, or None."""
    asked = [name for name, share in zip(SPLITS, config.split, strict=True) if share > 0]
    empty = [name for name in asked if name not in filled]
    if not empty or split_by in ("partition", "source"):  # where nothing was asked for
        return None
    return f"too few images to split: none for {' and '.join(empty)}"
