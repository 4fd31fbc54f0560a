"""The end of a pack: the manifest and the list of refusals, or what it failed for."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from .._errors import ShardsError
from .._format import REJECTED_NAME, SPLITS, ShardInfo
from ..dataset import Manifest, write_manifest
from ..storage import Storage
from ._duplicates import count_repeats
from ._plan import Plan, ShardSlot
from ._progress import DUPLICATE, Progress, ShardRecord
from ._worker import PackedShard

_NUM_EXAMPLES = 3
_LIMITS = {
    "stop": ("--on-error stop", "--on-error reject"),
    "reject": ("--max-rejected", "a larger --max-rejected"),
}
"""Which option stopped a pack, and which lets it go on."""


def finish(plan: Plan, progress: Progress) -> None:
    """Write rejected.jsonl, then dataset.json, from the records of the shards.

    Raises:
        ShardsError: no image is left to train on.
        OSError: as the file system reports it.
    """
    storage = progress.storage
    shards: dict[str, list[ShardInfo]] = {}
    num_converted = 0
    reasons: Counter[str] = Counter()
    for slot, record in read_records(plan.slots(), progress):
        num_converted += record.num_converted
        reasons.update(line["reason"] for line in record.rejected)
        if record.shard is not None:
            shards.setdefault(slot.split, []).append(record.shard)
    if SPLITS[0] not in shards:
        _give_up(plan, progress, reasons)
    rejected_sha256 = write_rejected(storage, _read_rejected(plan, progress))
    image_size = plan.config.image_size
    manifest = Manifest(
        config=plan.options,
        encoding=plan.config.encoding,
        image_size=None if image_size is None else (image_size, image_size),
        split_by=plan.split_by,
        split_reason=plan.split_reason,
        annotations=tuple(plan.annotations.fields or plan.source.fields),
        attribute_names=tuple(plan.annotations.attribute_names or plan.source.attribute_names),
        notes=plan.notes,
        num_converted=num_converted,
        num_duplicates=count_repeats(_read_digests(plan, progress)),
        num_rejected=dict(sorted(reasons.items())),
        rejected_sha256=rejected_sha256,
        splits={split: tuple(written) for split, written in shards.items()},
    )
    write_manifest(storage, manifest)
    progress.remove()


def stop(plan: Plan, progress: Progress, packed: PackedShard | None) -> NoReturn:
    """List what was refused and say why the pack does not go on.

    Args:
        packed: the shard whose refusals alone were too many.

    Raises:
        ShardsError: always.
    """
    config = plan.config
    lines = list(_read_rejected(plan, progress))
    if packed is not None:
        lines.extend(packed.record.rejected)
    write_rejected(progress.storage, lines)
    lines = [line for line in lines if line["reason"] != DUPLICATE]
    asked, other = _LIMITS[config.on_error]
    counts = Counter(line["reason"] for line in lines)
    examples = "; ".join(
        f"{line['name']}: {line['reason']}, {line['detail']}" for line in lines[:_NUM_EXAMPLES]
    )
    raise ShardsError(
        f"{config.source}: stopped at {len(lines)} refused of {plan.num_images} images, {asked} "
        f"allows {config.count_refusable(plan.num_images)}: {_format_counts(counts)} (first: "
        f"{examples}); all so far are listed in {progress.storage.locate(REJECTED_NAME)}; "
        f"mend the source and delete {config.out}, or run again with {other} to do without them"
    )


def read_records(
    slots: Iterable[ShardSlot], progress: Progress
) -> Iterator[tuple[ShardSlot, ShardRecord]]:
    """Yield those shards that are done."""
    for slot in slots:
        record = progress.read(slot.name)
        if record is not None:
            yield slot, record


def _read_rejected(plan: Plan, progress: Progress) -> Iterator[dict[str, Any]]:
    for _, record in read_records(plan.slots(), progress):
        yield from record.rejected


def _read_digests(plan: Plan, progress: Progress) -> Iterator[bytes]:
    for _, record in read_records(plan.slots(), progress):
        yield bytes.fromhex("".join(record.digests))


def write_rejected(storage: Storage, lines: Iterable[dict[str, Any]]) -> str:
    """Write rejected.jsonl and return its sha256."""
    digest = hashlib.sha256()
    with storage.writing(REJECTED_NAME) as part, part.open("wb") as file:
        for rejected in lines:
            line = json.dumps(rejected, ensure_ascii=False).encode("utf-8") + b"\n"
            file.write(line)
            digest.update(line)
    return digest.hexdigest()


def _give_up(plan: Plan, progress: Progress, reasons: Counter[str]) -> None:
    """Leave nothing behind of a pack without an image to train on, and say why there is none."""
    first = next(_read_rejected(plan, progress))
    for name in (*SPLITS, REJECTED_NAME):
        progress.storage.remove(name)
    progress.remove()
    if isinstance(plan.config.out, Path):
        with suppress(OSError):  # a file manager may have left something there
            plan.config.out.rmdir()
    raise ShardsError(
        f"{plan.config.source}: no image is left to train on; refused: {_format_counts(reasons)} "
        f"(first: {first['name']}: {first['detail']})"
    )


def _format_counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
