"""Pack one shard, in any process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._format import Encoding
from ..dataset import Sample, write_shard
from ..executors import Tick
from ..faces import ALIGNED_HEIGHT, ALIGNED_WIDTH
from ..images import ImageRefused
from ..sources import Entry, Reader, escape, read_ahead
from ._duplicates import digest
from ._encoder import EncodedSample, Encoder
from ._plan import PlannedImage, ShardTask
from ._progress import DUPLICATE, EXCUSED, ShardRecord

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


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

    encoder: Encoder
    max_refused: int
    """Images of one shard that may be refused before the pack stops."""
    reader: Reader

    def write(self, task: ShardTask, folder: Path, tick: Tick) -> PackedShard:
        """Write one shard and its index as parts below `folder`."""
        name, record = task.slot.name, ShardRecord()
        try:
            with self.encoder.limit_threads():
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
                encoded = self.encoder.encode(data, carried, image.annotations)
            except ImageRefused as refusal:
                record.rejected.append(self._describe_refusal(task.slot.split, image, refusal))
                if refusal.reason not in EXCUSED and record.num_bad > self.max_refused:
                    raise TooManyRefused from refusal
            else:
                _count(record, encoded)
                record.digests.append(digest(data).hex())
                for sample in encoded:
                    yield self._make_image_sample(image, sample)
            tick()

    def _make_image_sample(self, image: PlannedImage, encoded: EncodedSample) -> Sample:
        described = {
            "name": escape(image.entry.name),
            **encoded.fields,
            "width": encoded.image.width,
            "height": encoded.image.height,
        }
        key = self._make_key(image) + encoded.face
        return make_sample(key, self.encoder.encoding, encoded.image.data, described)

    def _describe_refusal(
        self, split: str, image: PlannedImage, refusal: ImageRefused
    ) -> dict[str, Any]:
        return {
            "split": split,
            "key": self._make_key(image),
            "name": escape(image.entry.name),
            "reason": refusal.reason,
            "detail": escape(refusal.detail),
        }

    def _make_key(self, image: PlannedImage) -> int:
        """Return the key of the first sample of an image."""
        return image.key * self.encoder.keys_per_image


def _get_entry(image: PlannedImage) -> Entry:
    return image.entry


def _count(record: ShardRecord, encoded: list[EncodedSample]) -> None:
    """Count an image that is packed."""
    image = encoded[0].image
    record.num_converted += image.converted
    record.num_repaired += image.repaired
    record.num_profiles_ignored += image.profile_ignored
    record.num_far_larger += image.far_larger
    record.num_enlarged += sum(sample.enlarged for sample in encoded)
    record.num_turned += sum(sample.turned for sample in encoded)
    record.num_celeba_size += image.num_source_pixels == ALIGNED_HEIGHT * ALIGNED_WIDTH
    record.num_smaller += image.num_source_pixels < ALIGNED_HEIGHT * ALIGNED_WIDTH


def make_sample(key: int, encoding: Encoding, data: bytes, described: dict[str, Any]) -> Sample:
    """Return an image and its json as a shard holds them."""
    text = _JSON.encode(described)
    return Sample(key=key, members=((encoding, data), ("json", text.encode("utf-8"))))
