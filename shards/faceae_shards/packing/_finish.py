"""End a pack: write the manifest and the list of refusals, or say why the pack failed."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from .._errors import ShardsError
from .._format import REJECTED_NAME, SPLITS, ShardInfo
from .._wording import count_of
from ..dataset import Manifest, write_manifest
from ..storage import Storage
from ._duplicates import count_repeats
from ._plan import Plan, ShardSlot
from ._progress import EXCUSED, NO_FACE, Progress, ShardRecord
from ._worker import PackedShard

log = logging.getLogger(__name__)

_NUM_EXAMPLES = 3
_COUNTS = (
    "num_converted",
    "num_repaired",
    "num_profiles_ignored",
    "num_far_larger",
    "num_enlarged",
    "num_turned",
    "num_celeba_size",
    "num_smaller",
)
"""Fields of a shard's record that `finish` sums."""


def finish(plan: Plan, progress: Progress) -> None:
    """Write rejected.jsonl, then dataset.json, from the records of the shards.

    Raises:
        ShardsError: no image is left to train on.
        OSError: the file system failed.
    """
    storage = progress.storage
    shards: dict[str, list[ShardInfo]] = {}
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for slot, record in read_records(plan.slots(), progress):
        counts.update({name: getattr(record, name) for name in _COUNTS})
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
        annotations=plan.fields,
        attribute_names=tuple(plan.annotations.attribute_names or plan.source.attribute_names),
        notes=plan.notes,
        num_converted=counts["num_converted"],
        num_repaired=counts["num_repaired"],
        num_profiles_ignored=counts["num_profiles_ignored"],
        num_far_larger=counts["num_far_larger"],
        num_enlarged=counts["num_enlarged"],
        num_turned=counts["num_turned"],
        aligned=_is_aligned(plan, shards, counts),
        num_duplicates=_count_duplicates(plan, progress),
        num_rejected=dict(sorted(reasons.items())),
        rejected_sha256=rejected_sha256,
        splits={split: tuple(written) for split, written in shards.items()},
    )
    write_manifest(storage, manifest)
    progress.remove()


def _is_aligned(
    plan: Plan, shards: dict[str, list[ShardInfo]], counts: Counter[str]
) -> bool | None:
    """Return whether the images are framed as CelebA's aligned photographs. None: unknown."""
    if plan.config.align:
        return True
    num_images = sum(shard.num_samples for written in shards.values() for shard in written)
    if 2 * counts["num_celeba_size"] > num_images:
        return True
    num_unknown = counts["num_celeba_size"] + counts["num_smaller"]
    return None if 2 * num_unknown > num_images else False


def stop(plan: Plan, progress: Progress, packed: PackedShard | None) -> NoReturn:
    """Write the list of refusals and raise the error that ends the pack.

    Args:
        packed: the unfinished shard, where one alone had too many refusals.

    Raises:
        ShardsError: always.
    """
    config = plan.config
    lines = list(_read_rejected(plan, progress))
    if packed is not None:
        lines.extend(packed.record.rejected)
    write_rejected(progress.storage, lines)
    lines = [line for line in lines if line["reason"] not in EXCUSED]
    counts = Counter(line["reason"] for line in lines)
    examples = "; ".join(
        f"{line['name']}: {line['reason']}, {line['detail']}" for line in lines[:_NUM_EXAMPLES]
    )
    listed = progress.storage.locate(REJECTED_NAME)
    raise ShardsError(
        f"{config.source}: stopped at {len(lines)} refused of {plan.num_images} images, "
        f"`max_rejected` allows {config.count_refusable(plan.num_images)}: "
        f"{_format_counts(counts)} (first: {examples}); all so far are listed in {listed}; "
        f"mend the source and delete {config.out}, or raise `max_rejected` to go on without them"
    )


def read_records(
    slots: Iterable[ShardSlot], progress: Progress
) -> Iterator[tuple[ShardSlot, ShardRecord]]:
    """Yield the shards that are done, with their records."""
    for slot in slots:
        record = progress.read(slot.name)
        if record is not None:
            yield slot, record


def _read_rejected(plan: Plan, progress: Progress) -> Iterator[dict[str, Any]]:
    for _, record in read_records(plan.slots(), progress):
        yield from record.rejected


def _count_duplicates(plan: Plan, progress: Progress) -> int:
    """Return how many images repeat another one. Warns where the two lie in different splits."""
    digests: dict[str, list[bytes]] = {}
    for slot, record in read_records(plan.slots(), progress):
        digests.setdefault(slot.split, []).append(bytes.fromhex("".join(record.digests)))
    repeats = count_repeats(digests)
    if repeats.num_across:
        log.warning(
            "in more than one split: %s; the held-out splits then hold training images, and "
            "`drop_duplicates=True` leaves the copies out",
            count_of(repeats.num_across, "image"),
        )
    return repeats.num_all


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
    """Remove a pack that has no image to train on, and raise an error that says why."""
    first = next(_read_rejected(plan, progress))
    for name in (*SPLITS, REJECTED_NAME):
        progress.storage.remove(name)
    progress.remove()
    if isinstance(plan.config.out, Path):
        with suppress(OSError):  # a file manager may have left something there
            plan.config.out.rmdir()
    remedy = "; to pack pictures as they are, leave out `align`" if NO_FACE in reasons else ""
    raise ShardsError(
        f"{plan.config.source}: no image is left to train on; refused: {_format_counts(reasons)} "
        f"(first: {first['name']}: {first['detail']}){remedy}"
    )


def _format_counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
