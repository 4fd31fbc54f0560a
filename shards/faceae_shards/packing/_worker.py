"""What packs one shard, in any process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._format import Encoding
from ..dataset import Sample, publish_shard, write_shard
from ..executors import Tick
from ..images import EncodedImage, ImageRefused, encode_for_shard
from ..sources import Entry, Reader, escape, read_ahead
from ..storage import Storage
from ._duplicates import digest
from ._plan import PlannedImage, ShardTask
from ._progress import DUPLICATE, ShardRecord


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """What a worker made of a task."""

    name: str
    record: ShardRecord
    is_whole: bool
    """False where so many images were refused that the worker gave the shard up."""


class TooManyRefused(Exception):
    """Ends a shard, or a pack; `packed` is the shard it happened in."""

    def __init__(self, packed: PackedShard | None = None) -> None:
        super().__init__()
        self.packed = packed


@dataclass
class PackWorker:
    """Packs shards, one after another."""

    folder: Path
    """Where shards are written as parts."""
    crop: int | None
    size: int | None
    encoding: Encoding
    max_refused: int
    reader: Reader

    def run(self, task: ShardTask, tick: Tick) -> PackedShard:
        """Write one shard and its index as parts."""
        name, record = task.slot.name, ShardRecord()
        try:
            record.shard = write_shard(self.folder, name, self._encode(task, record, tick))
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
                    data, crop=self.crop, size=self.size, encoding=self.encoding
                )
            except ImageRefused as refusal:
                record.rejected.append(_describe_refusal(task.slot.split, image, refusal))
                if refusal.reason != DUPLICATE and record.num_bad > self.max_refused:
                    raise TooManyRefused from refusal
            else:
                record.num_converted += encoded.converted
                record.digests.append(digest(data).hex())
                yield _make_image_sample(image, carried, encoded, self.encoding)
            tick()


@dataclass
class PublishingWorker:
    """Packs shards and gives them their names itself, as on another machine."""

    worker: PackWorker
    """Its folder is not used."""
    storage: Storage

    def run(self, task: ShardTask, tick: Tick) -> PackedShard:
        """Write one shard and its index. Done twice, even at once, it comes to the same."""
        with self.storage.scratch() as folder:
            packed = replace(self.worker, folder=folder).run(task, tick)
            if packed.is_whole and packed.record.shard is not None:
                publish_shard(self.storage, folder, packed.record.shard)
        return packed

    def close(self) -> None:
        """Close the source."""
        self.worker.close()


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
