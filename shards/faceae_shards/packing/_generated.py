"""Pack pictures that a program generates by their numbers, without a source to read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from .._errors import ShardsError
from .._format import GENERATED, MANIFEST_NAME, SPLITS
from ..dataset import (
    KEY_DIGITS,
    GeneratedOptions,
    Manifest,
    Sample,
    SourceInfo,
    write_manifest,
    write_shard,
)
from ..executors import Executor, ExecutorName, Tick, open_executor
from ..storage import Location, open_storage
from ._config import PackSummary, choose_samples_per_shard
from ._finish import read_records, write_rejected
from ._pack import OnProgress, accept_finished, check_out, summarize
from ._plan import ShardSlot, cut_split
from ._progress import Progress, ShardRecord, claim_storage
from ._run import run_packer
from ._worker import PackedShard, make_sample


class PictureGenerator(Protocol):
    """Generates the same picture for a number each time. It can be pickled before its first use."""

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        """Yield the pictures of all numbers in order, as JPEGs from `encode_jpeg`."""

    def describe(self, number: int) -> dict[str, Any]:
        """Return the json of a picture: its `name`, and any other fields."""


@dataclass(frozen=True, kw_only=True)
class GeneratedConfig:
    """Options of one dataset of generated pictures.

    Raises:
        ShardsError: a number is too large for a key.
    """

    out: Location
    """Folder to write, or prefix of an object store such as s3://bucket/faces. It must be new,
    empty, or left by an interrupted call with the same options."""
    numbers: range
    """Numbers of the pictures, which become their keys."""
    image_size: int
    """Side of every picture in pixels."""
    crop: int | None
    """Side in pixels of the centre square that the training images were cropped to."""
    generator: str
    """Name of the generator, for a person to read."""
    depends_on: dict[str, Any]
    """All else that determines the pictures, by option name."""
    samples_per_shard: int | None = None
    """Images per shard. The default is `choose_samples_per_shard` of the number of pictures."""
    executor: ExecutorName = "local"
    """local runs in the calling process, ray runs one task per shard on a Ray cluster."""
    address: str | None = None
    """Address of the Ray cluster; see `PackConfig.address`."""
    needs: tuple[Path, ...] = ()
    """Files and folders, besides `out`, that all machines of a Ray cluster must see."""

    def __post_init__(self) -> None:
        if self.numbers.stop > 10**KEY_DIGITS:
            raise ShardsError(
                f"the last picture would be number {self.numbers.stop - 1}, but keys have "
                f"{KEY_DIGITS} digits; start at a lower number"
            )

    def slots(self) -> Iterator[ShardSlot]:
        """Yield every shard, in order."""
        return cut_split(SPLITS[0], self.numbers, self._num_samples)

    @property
    def options(self) -> GeneratedOptions:
        """Options that decide about the bytes of the dataset."""
        return GeneratedOptions(
            crop=self.crop,
            size=self.image_size,
            encoding="jpg",
            samples_per_shard=self._num_samples,
            start=self.numbers.start,
            n=len(self.numbers),
            depends_on=self.depends_on,
            source=SourceInfo(
                kind=GENERATED, name=self.generator, num_images=len(self.numbers), num_ignored=0
            ),
        )

    @property
    def _num_samples(self) -> int:
        """Images per shard. The last shard may hold fewer."""
        return self.samples_per_shard or choose_samples_per_shard(len(self.numbers))

    def identify_run(self) -> dict[str, Any]:
        """Return the values that must be equal for an interrupted call to go on."""
        import simplejpeg

        return {**self.options.to_json(), "libraries": {"simplejpeg": simplejpeg.__version__}}


def pack_generated(
    config: GeneratedConfig, generator: PictureGenerator, on_progress: OnProgress | None = None
) -> PackSummary:
    """Write a dataset of generated pictures, or go on with an interrupted one.

    The dataset has one split, train. A picture's place in the tars follows from its number. Where
    `config.out` already holds the result, nothing is done.

    Raises:
        ShardsError: `config.out` holds something else, or cannot be written to.
        OSError: the file system failed. The same call goes on, as it does after a kill.
    """
    check_out(config.out)
    storage = open_storage(config.out)
    if storage.size(MANIFEST_NAME) is not None:
        return accept_finished(config.out, config.options, storage)
    # Locally the generator uses the cores itself, and stays in this process.
    opened = open_executor(
        config.executor,
        workers=None if config.executor == "ray" else 1,
        address=config.address,
        preload=run_packer.__module__,
    )
    with opened as executor, claim_storage(storage, config.identify_run()) as progress:
        _generate_missing(config, progress, executor, generator, on_progress)
        _finish(config, progress)
    return summarize(config.out)


def _generate_missing(
    config: GeneratedConfig,
    progress: Progress,
    executor: Executor,
    generator: PictureGenerator,
    on_progress: OnProgress | None,
) -> None:
    done = progress.confirm(slot.name for slot in config.slots())
    missing = [slot for slot in config.slots() if slot.name not in done]
    num_pictures = sum(slot.stop - slot.start for slot in missing)

    def on_ticks(num_done: int) -> None:
        if on_progress is not None:
            on_progress(num_done, num_pictures)

    # One stream for all shards: the generator need not stop between them.
    spans = [] if executor.is_remote else [range(slot.start, slot.stop) for slot in missing]
    run_packer(
        executor,
        _PicturePacker(generator=generator, image_size=config.image_size, spans=spans),
        missing,
        progress,
        accept=lambda packed, publish: publish(packed.name, packed.record),
        on_ticks=on_ticks,
        needs=config.needs,
    )


@dataclass(kw_only=True)
class _PicturePacker:
    """Packs generated pictures, one shard after another."""

    generator: PictureGenerator
    image_size: int
    spans: Sequence[range]
    """The numbers of all shards to come, in order, where one process writes all of them; else
    empty."""

    def write(self, slot: ShardSlot, folder: Path, tick: Tick) -> PackedShard:
        """Write one shard and its index as parts below `folder`."""
        pictures = self._stream if self.spans else self._generate(range(slot.start, slot.stop))
        shard = write_shard(folder, slot.name, self._make_samples(slot, pictures, tick))
        return PackedShard(name=slot.name, record=ShardRecord(shard=shard), is_whole=True)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    @cached_property
    def _stream(self) -> Iterator[bytes]:
        return self._generate(*self.spans)

    def _generate(self, *spans: range) -> Iterator[bytes]:
        return self.generator.make(spans)

    def _make_samples(
        self, slot: ShardSlot, pictures: Iterator[bytes], tick: Tick
    ) -> Iterator[Sample]:
        size = {"width": self.image_size, "height": self.image_size}
        for number in range(slot.start, slot.stop):
            described = {**self.generator.describe(number), **size}
            yield make_sample(number, "jpg", next(pictures), described)
            tick()


def _finish(config: GeneratedConfig, progress: Progress) -> None:
    records = [record for _, record in read_records(config.slots(), progress)]
    shards = tuple(record.shard for record in records if record.shard is not None)
    manifest = Manifest(
        config=config.options,
        encoding="jpg",
        image_size=(config.image_size, config.image_size),
        split_by="nothing",
        annotations=(),
        attribute_names=(),
        num_converted=0,
        num_rejected={},
        rejected_sha256=write_rejected(progress.storage, []),
        splits={SPLITS[0]: shards},
    )
    write_manifest(progress.storage, manifest)
    progress.remove()
