"""A dataset of pictures that a program makes by their numbers; there is no source to read."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import simplejpeg

from .._errors import ShardsError
from .._format import GENERATED, MANIFEST_NAME, SPLITS
from ..dataset import (
    KEY_DIGITS,
    GeneratedOptions,
    Manifest,
    Sample,
    SourceInfo,
    publish_shard,
    write_manifest,
    write_shard,
)
from ..executors import AUTO, Tick, connected, run_on_ray
from ..storage import Location, Storage, open_storage
from ._config import Executor, PackSummary, choose_samples_per_shard
from ._finish import read_records, write_rejected
from ._pack import OnProgress, accept_finished, check_out, publish_meanwhile, summarize
from ._plan import ShardSlot, cut_split
from ._progress import Progress, ShardRecord, claim_storage
from ._worker import PackedShard, make_sample

_TICKS_A_REPORT = 32


class PictureGenerator(Protocol):
    """Makes pictures, the same one for a number each time; picklable while unused."""

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        """Yield the pictures of all numbers, in order, each as `encode_jpeg` returns it."""

    def describe(self, number: int) -> dict[str, Any]:
        """Return what a picture's json holds: its `name`, and whatever else there is to say."""


@dataclass(frozen=True, kw_only=True)
class GeneratedConfig:
    """What a dataset is made of.

    Raises:
        ShardsError: a number that is no key.
    """

    out: Location
    """Folder, or prefix such as s3://bucket/faces, to write; new, empty, or left by an interrupted
    call with the same options."""
    numbers: range
    """Of the pictures, which are their keys."""
    image_size: int
    """Pixels; side of every picture."""
    crop: int | None
    """Pixels; centre square that the pictures a model learnt from were cut to."""
    maker: str
    """What makes the pictures, for a person to read."""
    depends_on: dict[str, Any]
    """What else the pictures follow from, by the name of the option that says so."""
    samples_per_shard: int | None = None
    """None: see `choose_samples_per_shard`."""
    executor: Executor = "local"
    """local: this process. ray: tasks on a Ray cluster, one a shard."""
    address: str | None = None
    """Of a Ray cluster; see `PackConfig`."""
    needs: tuple[Path, ...] = ()
    """Files and folders that all machines of a cluster must see besides `out`."""

    def __post_init__(self) -> None:
        if self.numbers.stop > 10**KEY_DIGITS:
            raise ShardsError(
                f"a shard's keys have {KEY_DIGITS} digits, the last picture would be number "
                f"{self.numbers.stop - 1}; begin at a lower one"
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
                kind=GENERATED, name=self.maker, num_images=len(self.numbers), num_ignored=0
            ),
        )

    @property
    def _num_samples(self) -> int:
        """Of every shard but the last."""
        return self.samples_per_shard or choose_samples_per_shard(len(self.numbers))

    def identify_run(self) -> dict[str, Any]:
        """Return what must be equal, besides, for an interrupted call to go on."""
        return {**self.options.to_json(), "libraries": {"simplejpeg": simplejpeg.__version__}}


def pack_generated(
    config: GeneratedConfig, maker: PictureGenerator, on_progress: OnProgress | None = None
) -> PackSummary:
    """Write a dataset of pictures that `maker` makes, or go on where it was interrupted.

    It has one split, train, and is what `pack` writes otherwise: a picture's place in the tars
    follows from its number. Where `config.out` already holds the result nothing is done.

    Raises:
        ShardsError: `config.out` holds something else, or cannot be written to.
        OSError: as the file system reports it. As after a kill, the same call goes on.
    """
    check_out(config.out)
    storage = open_storage(config.out)
    if storage.size(MANIFEST_NAME) is not None:
        return accept_finished(config.out, config.options, storage)
    if config.executor == "ray":
        with connected(config.address or AUTO):
            _make_dataset(config, storage, maker, on_progress)
    else:
        _make_dataset(config, storage, maker, on_progress)
    return summarize(config.out)


def _make_dataset(
    config: GeneratedConfig,
    storage: Storage,
    maker: PictureGenerator,
    on_progress: OnProgress | None,
) -> None:
    with claim_storage(storage, config.identify_run()) as progress:
        done = progress.confirm(slot.name for slot in config.slots())
        missing = [slot for slot in config.slots() if slot.name not in done]
        num_pictures = sum(slot.stop - slot.start for slot in missing)

        def on_ticks(num_done: int) -> None:
            if on_progress is not None:
                on_progress(num_done, num_pictures)

        run = _make_on_ray if config.executor == "ray" else _make_here
        run(config, progress, missing, maker, on_ticks)
        _finish(config, progress)


def _make_here(
    config: GeneratedConfig,
    progress: Progress,
    slots: list[ShardSlot],
    maker: PictureGenerator,
    on_ticks: Callable[[int], None],
) -> None:
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1
        if num_ticks % _TICKS_A_REPORT == 0:
            on_ticks(num_ticks)

    # One stream for all shards: the maker need not stop between them.
    pictures = maker.make([range(slot.start, slot.stop) for slot in slots])
    with (
        progress.storage.scratch() as scratch,
        publish_meanwhile(progress, scratch) as publish,
    ):
        for slot in slots:
            samples = _make_samples(slot, pictures, maker, config.image_size, tick)
            publish(slot.name, ShardRecord(shard=write_shard(scratch, slot.name, samples)))
    on_ticks(num_ticks)


def _make_on_ray(
    config: GeneratedConfig,
    progress: Progress,
    slots: list[ShardSlot],
    maker: PictureGenerator,
    on_ticks: Callable[[int], None],
) -> None:
    run_on_ray(
        _GeneratedWorker(maker=maker, storage=progress.storage, image_size=config.image_size),
        slots,
        at_once=None,
        paths=[*config.needs, *([progress.lock_path] if progress.lock_path else [])],
        on_result=lambda packed: progress.write(packed.name, packed.record),
        on_ticks=on_ticks,
    )


@dataclass(kw_only=True)
class _GeneratedWorker:
    """Makes shards and gives them their names itself, on any machine."""

    maker: PictureGenerator
    storage: Storage
    image_size: int

    def run(self, slot: ShardSlot, tick: Tick) -> PackedShard:
        """Write one shard and its index. Done twice, even at once, it comes to the same."""
        pictures = self.maker.make([range(slot.start, slot.stop)])
        samples = _make_samples(slot, pictures, self.maker, self.image_size, tick)
        with self.storage.scratch() as folder:
            shard = write_shard(folder, slot.name, samples)
            assert shard is not None  # no shard is empty
            publish_shard(self.storage, folder, shard)
        return PackedShard(name=slot.name, record=ShardRecord(shard=shard), is_whole=True)

    def close(self) -> None:
        """Nothing stays open."""


def _make_samples(
    slot: ShardSlot, pictures: Iterator[bytes], maker: PictureGenerator, image_size: int, tick: Tick
) -> Iterator[Sample]:
    for number in range(slot.start, slot.stop):
        described = {**maker.describe(number), "width": image_size, "height": image_size}
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
