"""Photographs to shards."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .._errors import ShardsError
from .._format import MANIFEST_NAME, PROGRESS_NAME, REJECTED_NAME
from ..dataset import (
    GeneratedOptions,
    PackOptions,
    check_shards,
    publish_shard,
    read_dataset,
)
from ..executors import AUTO, connected, run_on_ray, run_tasks, warm_up
from ..sources import Reader, Source, spool
from ..storage import Location, Storage, is_web, open_storage
from ._config import PackConfig, PackSummary
from ._finish import finish, read_records, stop
from ._plan import Plan, ShardSlot, make_plan
from ._progress import Progress, ShardRecord, claim_storage, describe_differences
from ._worker import PackedShard, PackWorker, PublishingWorker, TooManyRefused

OnProgress = Callable[[int, int], None]
"""Receives the number of images looked at so far, and the number to look at."""

_NUM_EXAMPLES = 3
_SPOOL_NAME = "spool"
_MAX_UNPUBLISHED = 4
"""Finished shards that may wait for the disk; with more of them the workers wait too."""


def pack(config: PackConfig, on_progress: OnProgress | None = None) -> PackSummary:
    """Pack a source into a dataset, or go on with a pack that was interrupted.

    Every image is decoded completely before it is stored; one that fails is refused, and noted in
    rejected.jsonl with the reason. The bytes written depend on the options and the source alone,
    not on the number of workers, nor on interruptions. Where `config.out` already holds the result
    nothing is done.

    More than one worker means other processes: a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Raises:
        ShardsError: the source cannot be used, `config.out` holds something else, more images were
            refused than may be, no image is left to train on, or a worker died.
        OSError: as the file system reports it. As after a kill, the same call goes on.
    """
    _check_apart(config)
    if config.executor == "ray":
        with connected(config.address or AUTO):
            return _pack(_make_absolute(config), on_progress or _ignore_progress)
    if config.num_processes > 1:
        warm_up()
    return _pack(config, on_progress or _ignore_progress)


def _pack(config: PackConfig, on_progress: OnProgress) -> PackSummary:
    plan = make_plan(config)
    storage = open_storage(config.out)
    if storage.size(MANIFEST_NAME) is not None:
        return accept_finished(config.out, plan.options, storage)
    with claim_storage(storage, plan.identify_run()) as progress:
        _pack_missing(plan, progress, on_progress)
        finish(plan, progress)
    return summarize(config.out)


def summarize(out: Location, *, already_complete: bool = False) -> PackSummary:
    """Tell what a packed dataset holds and what its pack refused."""
    dataset, storage = read_dataset(out), open_storage(out)
    examples: dict[str, list[str]] = {}
    with (
        storage.local_copy(REJECTED_NAME) as rejected_path,
        rejected_path.open(encoding="utf-8") as lines,
    ):
        for line in lines:
            rejected = json.loads(line)
            names = examples.setdefault(rejected["reason"], [])
            if len(names) < _NUM_EXAMPLES:
                names.append(rejected["name"])
    shards = [shard for split in dataset.splits.values() for shard in split]
    return PackSummary(
        out=out,
        num_samples={split: dataset.num_samples(split) for split in dataset.splits},
        num_shards=len(shards),
        num_bytes=sum(shard.num_bytes for shard in shards),
        num_converted=dataset.manifest.num_converted,
        num_ignored=dataset.manifest.config.source.num_ignored,
        num_duplicates=dataset.manifest.num_duplicates,
        num_rejected=dict(dataset.manifest.num_rejected),
        rejected_examples=examples,
        rejected_list=storage.locate(REJECTED_NAME),
        split_by=dataset.manifest.split_by,
        split_reason=dataset.manifest.split_reason,
        notes=dataset.manifest.notes,
        already_complete=already_complete,
    )


def check_out(out: Location) -> None:
    """Raise ShardsError where no dataset can be written."""
    if isinstance(out, str) and is_web(out):
        raise ShardsError(f"{out} cannot be written; give a folder, s3:// or gs://")
    if isinstance(out, Path) and out.exists() and not out.is_dir():
        raise ShardsError(f"{out} is a file; choose a new folder for the dataset")


def _check_apart(config: PackConfig) -> None:
    if _lies_inside(config.out, config.source):
        raise ShardsError(f"{config.out} lies inside the source; choose a folder outside of it")
    check_out(config.out)


def _lies_inside(out: Location, source: Location) -> bool:
    if isinstance(out, Path) and isinstance(source, Path):
        return source.is_dir() and out.resolve().is_relative_to(source.resolve())
    if isinstance(out, str) and isinstance(source, str):
        return f"{out.rstrip('/')}/".startswith(f"{source.rstrip('/')}/")
    return False


def accept_finished(
    out: Location, options: PackOptions | GeneratedOptions, storage: Storage
) -> PackSummary:
    """Tell of a dataset that is there already.

    Raises:
        ShardsError: it has other options, or is not whole.
    """
    dataset = read_dataset(out)
    check_shards(dataset, storage)
    differences = describe_differences(dataset.manifest.config.to_json(), options.to_json())
    if differences:
        raise ShardsError(
            f"{out} already holds a dataset with other {differences}; "
            "choose another folder, or delete it"
        )
    storage.remove(PROGRESS_NAME)  # left where a pack was killed in its very last step
    return summarize(out, already_complete=True)


def _pack_missing(plan: Plan, progress: Progress, on_progress: OnProgress) -> None:
    done = progress.confirm(slot.name for slot in plan.slots())
    missing = [slot for slot in plan.slots() if slot.name not in done]
    num_images = sum(slot.stop - slot.start for slot in missing)
    config = plan.config
    limit = _RefusalLimit(config.count_refusable(plan.num_images))
    try:
        for _, record in read_records((s for s in plan.slots() if s.name in done), progress):
            limit.add(record)
        run = _run_on_ray if config.executor == "ray" else _run_here
        run(plan, progress, missing, limit, lambda num_done: on_progress(num_done, num_images))
    except TooManyRefused as stopped:
        stop(plan, progress, stopped.packed)


def _run_here(
    plan: Plan,
    progress: Progress,
    slots: list[ShardSlot],
    limit: "_RefusalLimit",
    on_ticks: Callable[[int], None],
) -> None:
    with (
        progress.storage.scratch() as scratch,
        publish_meanwhile(progress, scratch) as publish,
    ):
        lasting = plan.config.out if isinstance(plan.config.out, Path) else scratch
        run_tasks(
            _make_worker(plan, limit, scratch, _open_reader(plan.source, lasting)),
            map(plan.make_task, slots),
            processes=min(plan.config.num_processes, max(len(slots), 1)),
            on_result=lambda packed: _accept(packed, limit, publish),
            on_ticks=on_ticks,
            lock=progress.lock_path,
        )


def _run_on_ray(
    plan: Plan,
    progress: Progress,
    slots: list[ShardSlot],
    limit: "_RefusalLimit",
    on_ticks: Callable[[int], None],
) -> None:
    config = plan.config
    shared = config.out if isinstance(config.out, Path) else None
    reader = _open_reader(plan.source, shared)
    run_on_ray(
        PublishingWorker(_make_worker(plan, limit, Path(), reader), progress.storage),
        map(plan.make_task, slots),
        at_once=config.workers,
        paths=[path for path in (config.source, progress.lock_path) if isinstance(path, Path)],
        on_result=lambda packed: _accept(packed, limit, progress.write),
        on_ticks=on_ticks,
    )


def _make_absolute(config: PackConfig) -> PackConfig:
    """Return the options with paths that hold in any folder."""

    def make_absolute(location: Location) -> Location:
        return location.absolute() if isinstance(location, Path) else location

    return replace(config, source=make_absolute(config.source), out=make_absolute(config.out))


def _make_worker(plan: Plan, limit: "_RefusalLimit", folder: Path, reader: Reader) -> PackWorker:
    config = plan.config
    return PackWorker(
        folder=folder,
        crop=config.crop,
        size=config.size,
        encoding=config.encoding,
        max_refused=limit.maximum,
        reader=reader,
    )


def _open_reader(source: Source, folder: Path | None) -> Reader:
    """Return what the workers read images with.

    Args:
        folder: that all workers see; None where there is none.
    """
    if not source.in_order:
        return source.open_reader()
    if folder is None:
        raise ShardsError(
            f"{source.path} is read in order, by way of a copy in OUT: with --executor ray give an "
            "OUT that is a folder all nodes share, or do without Ray"
        )
    return spool(source, folder / PROGRESS_NAME / _SPOOL_NAME)


@dataclass
class _RefusalLimit:
    """Counts refused images. Whether the limit is passed in the end depends on no timing."""

    maximum: int
    count: int = 0

    def add(self, record: ShardRecord) -> None:
        self.count += record.num_bad
        if self.count > self.maximum:
            raise TooManyRefused


def _accept(
    packed: PackedShard, limit: _RefusalLimit, publish: Callable[[str, ShardRecord], None]
) -> None:
    if packed.is_whole:
        publish(packed.name, packed.record)
        limit.add(packed.record)
    else:
        raise TooManyRefused(packed)


@contextmanager
def publish_meanwhile(
    progress: Progress, scratch: Path
) -> Iterator[Callable[[str, ShardRecord], None]]:
    """Yield what publishes a shard, then its record, while workers go on with the next ones.

    A disk takes its time to sync a shard, and a server to receive it, in which a core decodes
    hundreds of images. What ends the pack early keeps shards that wait from being published, but
    for `TooManyRefused`: their refusals are to be listed, too.
    """
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as executor:

        def publish(name: str, record: ShardRecord) -> None:
            pending.append(executor.submit(_publish, progress, scratch, name, record))
            while pending and (pending[0].done() or len(pending) > _MAX_UNPUBLISHED):
                pending.popleft().result()

        try:
            yield publish
            for future in pending:
                future.result()
        except TooManyRefused:
            raise
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _publish(progress: Progress, scratch: Path, name: str, record: ShardRecord) -> None:
    if record.shard is not None:
        publish_shard(progress.storage, scratch, record.shard)
    progress.write(name, record)


def _ignore_progress(num_done: int, num_images: int) -> None:
    """Report to nobody."""
