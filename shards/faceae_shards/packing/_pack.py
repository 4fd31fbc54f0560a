"""Pack photographs into shards."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .._errors import ShardsError
from .._format import MANIFEST_NAME, PROGRESS_NAME, REJECTED_NAME
from .._wording import count_of
from ..dataset import GeneratedOptions, Manifest, PackOptions, check_shards, read_dataset
from ..executors import Executor, open_executor
from ..faces import check_detector
from ..sources import Reader, spool
from ..storage import Location, Storage, is_web, open_storage
from ._config import PackConfig, PackSummary
from ._encoder import make_encoder
from ._finish import finish, read_records, stop
from ._plan import Plan, make_plan
from ._progress import Progress, ShardRecord, claim_storage, describe_differences
from ._run import Publish, run_packer
from ._worker import ImagePacker, PackedShard, TooManyRefused

log = logging.getLogger(__name__)

OnProgress = Callable[[int, int], None]
"""Receives the number of images read so far, and the number of images to read."""

_NUM_EXAMPLES = 3
_SPOOL_NAME = "spool"


def pack(config: PackConfig, on_progress: OnProgress | None = None) -> PackSummary:
    """Pack a source into a dataset, or go on with an interrupted pack.

    Every image is decoded completely before it is stored. An image that fails is refused and listed
    in rejected.jsonl with the reason. The bytes written depend on the options and the source, not
    on the number of workers, nor on interruptions. Where `config.out` already holds the result,
    nothing is done.

    With more than one worker this starts processes: a script that calls it must do so below
    `if __name__ == "__main__":`.

    Raises:
        ShardsError: the source cannot be used, `config.out` holds something else, more images were
            refused than may be, no image is left to train on, or a worker died.
        OSError: the file system failed. The same call goes on, as it does after a kill.
    """
    _check_apart(config)
    if config.align:
        check_detector()
    config = _make_absolute(config) if config.executor == "ray" else config
    opened = open_executor(
        config.executor,
        workers=config.workers,
        address=config.address,
        preload=run_packer.__module__,
    )
    with opened as executor:
        return _pack(config, executor, on_progress or _ignore_progress)


def _pack(config: PackConfig, executor: Executor, on_progress: OnProgress) -> PackSummary:
    log.debug("listing %s", config.source)
    plan = make_plan(config)
    storage = open_storage(config.out)
    if storage.size(MANIFEST_NAME) is not None:
        summary = accept_finished(config.out, plan.options, storage)
        return replace(summary, split_reason=plan.split_reason)
    with claim_storage(storage, plan.identify_run()) as progress:
        _pack_missing(plan, progress, executor, on_progress)
        log.debug("writing dataset.json")
        finish(plan, progress)
    return replace(summarize(config.out), split_reason=plan.split_reason)


def summarize(out: Location, *, already_complete: bool = False) -> PackSummary:
    """Return what a packed dataset holds and what its pack refused."""
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
        num_repaired=dataset.manifest.num_repaired,
        num_profiles_ignored=dataset.manifest.num_profiles_ignored,
        num_far_larger=dataset.manifest.num_far_larger,
        num_enlarged=dataset.manifest.num_enlarged,
        num_turned=dataset.manifest.num_turned,
        num_ignored=dataset.manifest.config.source.num_ignored,
        num_duplicates=dataset.manifest.num_duplicates,
        num_rejected=dict(dataset.manifest.num_rejected),
        rejected_examples=examples,
        rejected_list=storage.locate(REJECTED_NAME),
        split_by=dataset.manifest.split_by,
        notes=dataset.manifest.notes,
        warnings=tuple(_find_warnings(dataset.manifest)),
        already_complete=already_complete,
    )


def _find_warnings(manifest: Manifest) -> Iterator[str]:
    if manifest.num_far_larger:
        yield (
            f"far larger than the {manifest.config.crop} pixels that `crop` keeps, less than an "
            f"eighth of a picture: {count_of(manifest.num_far_larger, 'picture')}; what it cuts "
            "out may be no face: add `align=True`, or choose a larger `crop`"
        )
    if manifest.num_enlarged:
        yield (
            f"enlarged from less than half of the pixels a side that are asked for: "
            f"{count_of(manifest.num_enlarged, 'face')}; they are blurred: choose a smaller `size`"
        )


def check_out(out: Location) -> None:
    """Raise ShardsError for a location that no dataset can be written to."""
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
    """Return the summary of a dataset that is already complete.

    Raises:
        ShardsError: it has other options, or files are missing.
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


def _pack_missing(
    plan: Plan, progress: Progress, executor: Executor, on_progress: OnProgress
) -> None:
    done = progress.confirm(slot.name for slot in plan.slots())
    missing = [slot for slot in plan.slots() if slot.name not in done]
    num_images = sum(slot.stop - slot.start for slot in missing)
    limit = _RefusalLimit(plan.config.count_refusable(plan.num_images))
    source = plan.config.source
    try:
        for _, record in read_records((s for s in plan.slots() if s.name in done), progress):
            limit.add(record)
        with _open_reader(plan, progress, executor) as reader:
            run_packer(
                executor,
                _make_packer(plan, limit, reader),
                map(plan.make_task, missing),
                progress,
                accept=limit.accept,
                on_ticks=lambda num_done: on_progress(num_done, num_images),
                needs=[source] if isinstance(source, Path) else [],
            )
    except TooManyRefused as stopped:
        stop(plan, progress, stopped.packed)


def _make_absolute(config: PackConfig) -> PackConfig:
    """Return the options with paths that hold in any folder."""

    def make_absolute(location: Location) -> Location:
        return location.absolute() if isinstance(location, Path) else location

    return replace(config, source=make_absolute(config.source), out=make_absolute(config.out))


def _make_packer(plan: Plan, limit: "_RefusalLimit", reader: Reader) -> ImagePacker:
    return ImagePacker(
        encoder=make_encoder(plan.config),
        max_refused=limit.maximum,
        reader=reader,
    )


@contextmanager
def _open_reader(plan: Plan, progress: Progress, executor: Executor) -> Iterator[Reader]:
    """Yield the reader of the workers: of the source, or of a copy that all of them see."""
    source, out = plan.source, plan.config.out
    if not source.in_order:
        yield source.open_reader()
    elif isinstance(out, Path):
        log.debug("copying images of %s", source.path)
        yield spool(source, out / PROGRESS_NAME / _SPOOL_NAME)
    elif executor.is_remote:
        raise ShardsError(
            f"{source.path} can only be read in order, so its images are copied to the output "
            "first; with `executor='ray'` the output must be a folder that all machines share"
        )
    else:
        with progress.storage.scratch() as folder:
            yield spool(source, folder / _SPOOL_NAME)


@dataclass
class _RefusalLimit:
    """Counts refused images. Timing does not decide whether the count ends above the limit."""

    maximum: int
    count: int = 0

    def add(self, record: ShardRecord) -> None:
        self.count += record.num_bad
        if self.count > self.maximum:
            raise TooManyRefused

    def accept(self, packed: PackedShard, publish: Publish) -> None:
        """Publish a whole shard and count what it refused; an unfinished one ends the pack."""
        if not packed.is_whole:
            raise TooManyRefused(packed)
        publish(packed.name, packed.record)
        self.add(packed.record)


def _ignore_progress(num_done: int, num_images: int) -> None:
    """Do nothing."""
