"""Photographs to shards."""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._atomic import atomic_path, remove
from ._config import PackConfig, PackSummary
from ._decode import ImageRefused
from ._errors import ShardsError
from ._images import EncodedImage, encode_for_shard
from ._manifest import (
    MANIFEST_NAME,
    PROGRESS_NAME,
    REJECTED_NAME,
    SPLITS,
    Encoding,
    ShardInfo,
    hash_json,
    open_dataset,
    read_dataset,
    write_manifest,
)
from ._plan import Plan, PlannedImage, ShardSlot, ShardTask, make_plan
from ._pool import Tick, run_tasks, warm_up
from ._progress import Progress, ShardRecord, claim_folder, describe_differences
from ._sources import Reader, escape
from ._tar import Sample, publish_shard, write_shard

OnProgress = Callable[[int, int], None]
"""Receives the number of images looked at so far, and the number to look at."""

_NUM_EXAMPLES = 3
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
        ShardsError: the source cannot be used, `config.out` holds something else, no image is
            left to train on, or a worker died.
        OSError: as the file system reports it. As after a kill, the same call goes on.
    """
    _check_apart(config)
    if config.workers > 1:
        warm_up()
    plan = make_plan(config)
    if (config.out / MANIFEST_NAME).is_file():
        return _accept_finished(plan)
    with claim_folder(config.out, plan.identify_run()) as progress:
        _pack_missing(plan, progress, on_progress or _ignore_progress)
        _finish(plan, progress)
    return summarize(config.out)


def summarize(out: Path, *, already_complete: bool = False) -> PackSummary:
    """Tell what a packed dataset holds and what its pack refused."""
    dataset = read_dataset(out)
    examples: dict[str, list[str]] = {}
    with (out / REJECTED_NAME).open(encoding="utf-8") as lines:
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
        num_converted=dataset.manifest["num_converted"],
        num_ignored=dataset.manifest["config"]["source"]["num_ignored"],
        num_rejected=dict(dataset.manifest["num_rejected"]),
        rejected_examples=examples,
        split_by=dataset.manifest["split_by"],
        already_complete=already_complete,
    )


@dataclass
class PackWorker:
    """Packs shards, one after another."""

    out: Path
    crop: int | None
    size: int | None
    encoding: Encoding
    reader: Reader

    def run(self, task: ShardTask, tick: Tick) -> tuple[str, ShardRecord]:
        """Write one shard and its index as parts; return its name and its record."""
        record = ShardRecord()
        record.shard = write_shard(self.out, task.slot.name, self._encode(task, record, tick))
        return task.slot.name, record

    def close(self) -> None:
        """Close the source."""
        self.reader.close()

    def _encode(self, task: ShardTask, record: ShardRecord, tick: Tick) -> Iterator[Sample]:
        for image in task.images:
            try:
                data = self.reader.read(image.entry)
                encoded = encode_for_shard(
                    data, crop=self.crop, size=self.size, encoding=self.encoding
                )
            except ImageRefused as refusal:
                record.rejected.append(_describe_refusal(task.slot.split, image, refusal))
            else:
                record.num_converted += encoded.converted
                yield _make_sample(image, encoded, self.encoding)
            tick()


def _make_sample(image: PlannedImage, encoded: EncodedImage, encoding: Encoding) -> Sample:
    described = {
        "name": escape(image.entry.name),
        "width": encoded.width,
        "height": encoded.height,
        **image.annotations,
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Sample(key=image.key, members=((encoding, encoded.data), ("json", text.encode("utf-8"))))


def _describe_refusal(split: str, image: PlannedImage, refusal: ImageRefused) -> dict[str, Any]:
    return {
        "split": split,
        "key": image.key,
        "name": escape(image.entry.name),
        "reason": refusal.reason,
        "detail": escape(refusal.detail),
    }


def _check_apart(config: PackConfig) -> None:
    source, out = config.source.resolve(), config.out.resolve()
    if source.is_dir() and out.is_relative_to(source):
        raise ShardsError(f"{config.out} lies inside the source; choose a folder outside of it")
    if out.exists() and not out.is_dir():
        raise ShardsError(f"{config.out} is a file; choose a new folder for the dataset")


def _accept_finished(plan: Plan) -> PackSummary:
    out = plan.config.out
    dataset = open_dataset(out)
    differences = describe_differences(dataset.manifest["config"], plan.identify())
    if differences:
        raise ShardsError(
            f"{out} already holds a dataset with other {differences}; "
            "choose another folder, or delete it"
        )
    remove(out / PROGRESS_NAME)  # left where a pack was killed in its very last step
    return summarize(out, already_complete=True)


def _pack_missing(plan: Plan, progress: Progress, on_progress: OnProgress) -> None:
    missing = [slot for slot in plan.slots() if progress.read(slot.name) is None]
    num_images = sum(slot.stop - slot.start for slot in missing)
    config = plan.config
    worker = PackWorker(
        config.out, config.crop, config.size, config.encoding, plan.source.open_reader()
    )
    with _publish_meanwhile(progress) as publish:
        run_tasks(
            worker,
            map(plan.make_task, missing),
            processes=min(config.workers, max(len(missing), 1)),
            on_result=publish,
            on_ticks=lambda num_done: on_progress(num_done, num_images),
            lock=progress.lock_path,
        )


@contextmanager
def _publish_meanwhile(progress: Progress) -> Iterator[Callable[[tuple[str, ShardRecord]], None]]:
    """Yield what publishes a shard, then its record, while workers go on with the next ones.

    A disk takes its time to sync a shard, in which a core decodes hundreds of images.
    """
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as executor:

        def publish(result: tuple[str, ShardRecord]) -> None:
            pending.append(executor.submit(_publish, progress, *result))
            while pending and (pending[0].done() or len(pending) > _MAX_UNPUBLISHED):
                pending.popleft().result()

        yield publish
        for future in pending:
            future.result()


def _publish(progress: Progress, name: str, record: ShardRecord) -> None:
    if record.shard is not None:
        publish_shard(progress.out, record.shard)
    progress.write(name, record)


def _finish(plan: Plan, progress: Progress) -> None:
    """Write rejected.jsonl, then dataset.json, from the records of the shards."""
    out = plan.config.out
    shards: dict[str, list[ShardInfo]] = {}
    num_converted = 0
    reasons: Counter[str] = Counter()
    for slot, record in _read_records(plan.slots(), progress):
        num_converted += record.num_converted
        reasons.update(line["reason"] for line in record.rejected)
        if record.shard is not None:
            shards.setdefault(slot.split, []).append(record.shard)
    if SPLITS[0] not in shards:
        _give_up(plan, progress, reasons)
    rejected_sha256 = _write_rejected(out, plan, progress)
    identity = plan.identify()
    image_size = plan.config.image_size
    content = {
        "config": identity,
        "config_hash": hash_json(identity),
        "encoding": plan.config.encoding,
        "image_size": None if image_size is None else [image_size, image_size],
        "split_by": plan.split_by,
        "annotations": list(plan.annotations.fields),
        "attribute_names": list(plan.annotations.attribute_names),
        "num_converted": num_converted,
        "num_rejected": dict(sorted(reasons.items())),
        "rejected_sha256": rejected_sha256,
    }
    write_manifest(out, content, shards)
    progress.remove()


def _read_records(
    slots: Iterable[ShardSlot], progress: Progress
) -> Iterator[tuple[ShardSlot, ShardRecord]]:
    for slot in slots:
        record = progress.read(slot.name)
        assert record is not None, slot.name
        yield slot, record


def _write_rejected(out: Path, plan: Plan, progress: Progress) -> str:
    digest = hashlib.sha256()
    with atomic_path(out / REJECTED_NAME) as part, part.open("wb") as file:
        for _, record in _read_records(plan.slots(), progress):
            for rejected in record.rejected:
                line = json.dumps(rejected, ensure_ascii=False).encode("utf-8") + b"\n"
                file.write(line)
                digest.update(line)
    return digest.hexdigest()


def _give_up(plan: Plan, progress: Progress, reasons: Counter[str]) -> None:
    """Leave nothing behind of a pack without an image to train on, and say why there is none."""
    records = [record for _, record in _read_records(plan.slots(), progress)]
    first = next(line for record in records for line in record.rejected)
    for split in SPLITS:
        remove(plan.config.out / split)
    progress.remove()
    plan.config.out.rmdir()
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    raise ShardsError(
        f"{plan.config.source}: no image is left to train on; refused: {counts} "
        f"(first: {first['name']}: {first['detail']})"
    )


def _ignore_progress(num_done: int, num_images: int) -> None:
    """Report to nobody."""
