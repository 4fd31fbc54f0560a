"""Pack one shard, in any process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._format import Encoding
from ..dataset import Sample, write_shard
from ..executors import Tick
from ..images import EncodedImage, ImageRefused, encode_for_shard
from ..sources import Entry, Reader, escape, read_ahead
from ._duplicates import digest
from ._plan import PlannedImage, ShardTask
from ._progress import DUPLICATE, ShardRecord


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """The result of one task."""

    name: str
    record: ShardRecord
    is_whole: bool
    """False where the worker gave up the shard, for too many of its images were refused."""


class TooManyRefused(Exception):
    """Ends a shard or a pack. `packed` is the unfinished shard, where one alone had too many."""

    def __init__(self, packed: PackedShard | None = None) -> None:
        super().__init__()
        self.packed = packed


@dataclass
class ImagePacker:
    """Packs the images of a source, one shard after another."""

    crop: int | None
    size: int | None
    encoding: Encoding
    max_pixels: int
    max_refused: int
    """Images of one shard that may be refused before the pack stops."""
    reader: Reader

    def write(self, task: ShardTask, folder: Path, tick: Tick) -> PackedShard:
        """Write one shard and its index as parts below `folder`."""
        name, record = task.slot.name, ShardRecord()
        try:
            record.shard = write_shard(folder, name, self._encode(task, record, tick))
        except TooManyRefused:
            return PackedShard(name=name, record=record, is_whole=False)
        return PackedShard(name=name, record=record, is_whole=True)

    def close(self) -> None:
        """Close the source."""
        self.reader.close()

    def _encode(self, task: ShardTask, record: ShardRecord, tick: Tick) -> Iterator[Sample]:
        for image in read_ahead(self.reader, task.images(), _get_entry):
            try:
                if image.duplicate_of is not None:
                    raise ImageRefused(DUPLICATE, f"the same bytes as {image.duplicate_of}")
                data = self.reader.read(image.entry)
                carried = self.reader.describe(image.entry)
                encoded = encode_for_shard(
                    data,
                    crop=self.crop,
                    size=self.size,
                    encoding=self.encoding,
                    max_pixels=self.max_pixels,
                )
            except ImageRefused as refusal:
                record.rejected.append(_describe_refusal(task.slot.split, image, refusal))
                if refusal.reason != DUPLICATE and record.num_bad > self.max_refused:
                    raise TooManyRefused from refusal
            else:
                record.num_converted += encoded.converted
                record.num_repaired += encoded.repaired
                record.num_profiles_ignored += encoded.profile_ignored
                record.digests.append(digest(data).hex())
                yield _make_image_sample(image, carried, encoded, self.encoding)
            tick()


def _get_entry(image: PlannedImage) -> Entry:
    return image.entry


def _make_image_sample(
    image: PlannedImage, carried: dict[str, Any], encoded: EncodedImage, encoding: Encoding
) -> Sample:
    described = {
        "name": escape(image.entry.name),
        **carried,
        "width": encoded.width,
        "height": encoded.height,
        **image.annotations,
    }
    return make_sample(image.key, encoding, encoded.data, described)


def make_sample(key: int, encoding: Encoding, data: bytes, described: dict[str, Any]) -> Sample:
    """Return an image and its json as a shard holds them."""
    text = json.dumps(
        described, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return Sample(key=key, members=((encoding, data), ("json", text.encode("utf-8"))))


def _describe_refusal(split: str, image: PlannedImage, refusal: ImageRefused) -> dict[str, Any]:
    return {
        "split": split,
        "key": image.key,
        "name": escape(image.entry.name),
        "reason": refusal.reason,
        "detail": escape(refusal.detail),
    }
