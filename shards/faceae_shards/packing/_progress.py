"""The state of an unfinished pack: its plan and one record per shard, in the .progress folder."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .._errors import ShardsError
from .._format import PLAN_NAME, PROGRESS_NAME, ShardInfo
from ..dataset import find_cheap_problem
from ..storage import Storage, format_json, is_clutter

DUPLICATE = "duplicate"
"""Reason of the refusal of an image that repeats another one."""
NO_FACE = "no face found"
"""Reason of the refusal of an image without a face to align."""
EXCUSED = frozenset({DUPLICATE, NO_FACE})
"""Reasons that say nothing against a file. They do not count towards `max_rejected`."""

_TITLES = {
    "source": "source",
    "times": "source files (some changed since)",
    "model": "model",
    "n": "`count`",
    "face": "latents, or another processor",
    "samples_per_shard": "`samples_per_shard` (the default follows from the number of images)",
    "align": "`align` or `face`",
    "libraries": "versions of Pillow, simplejpeg, cykooz-resizer or OpenCV",
}
"""What messages call the keys of an identity that are no fields of a config."""


@dataclass(kw_only=True)
class ShardRecord:
    """The result of packing one shard."""

    shard: ShardInfo | None = None
    """None where every image was refused."""
    num_converted: int = 0
    num_repaired: int = 0
    num_profiles_ignored: int = 0
    num_far_larger: int = 0
    num_enlarged: int = 0
    num_turned: int = 0
    num_celeba_size: int = 0
    """Images whose source has the size of CelebA's aligned photographs."""
    num_smaller: int = 0
    """Images whose source is smaller, so that they may have been cut from such photographs."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """Its lines of rejected.jsonl."""
    digests: list[str] = field(default_factory=list)
    """Digests of the packed images' source files, in hex."""

    @property
    def num_bad(self) -> int:
        """Refused images, without those whose reason is excused."""
        return sum(line["reason"] not in EXCUSED for line in self.rejected)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The records of one pack."""

    storage: Storage
    lock_path: Path | None
    """The file that workers hold a shared lock on; None in an object store, which has no locks."""

    def write(self, name: str, record: ShardRecord) -> None:
        """Record that a shard is done. Its files must have their final names by then."""
        _write_json(self.storage, _name_record(name), asdict(record))

    def read(self, name: str) -> ShardRecord | None:
        """Return the record of a shard, or None where it is not done."""
        text = self.storage.read(_name_record(name))
        if text is None:
            return None
        content = json.loads(text)
        shard = content.pop("shard")
        return ShardRecord(shard=None if shard is None else ShardInfo(**shard), **content)

    def confirm(self, names: Iterable[str]) -> set[str]:
        """Return the shards that are done. Drop the records of shards whose files have changed."""
        present = set(self.storage.list_names())
        recorded = [name for name in names if _name_record(name) in present]
        done = {name for name in recorded if self._is_sound(name)}
        for name in recorded:
            if name not in done:
                self.storage.remove(_name_record(name))
        return done

    def remove(self) -> None:
        """Remove all state, at the end of a pack."""
        self.storage.remove(PROGRESS_NAME)

    def _is_sound(self, name: str) -> bool:
        record = self.read(name)
        if record is None or record.shard is None:
            return record is not None
        return find_cheap_problem(self.storage, record.shard) is None


@contextmanager
def claim_storage(storage: Storage, identity: dict[str, Any]) -> Iterator[Progress]:
    """Reserve a storage for the pack that `identity` describes, which may have begun earlier.

    Raises:
        ShardsError: the storage holds something else or an unfinished pack of another identity, or
            another process is packing into it.
    """
    if storage.size(PLAN_NAME) is None and _holds_something(storage):
        raise ShardsError(f"{storage.location} is not empty; choose a new folder for the dataset")
    with storage.claim(PROGRESS_NAME) as lock_path:
        _check_identity(storage, identity)
        yield Progress(storage=storage, lock_path=lock_path)


def describe_differences(found: dict[str, Any], asked: dict[str, Any]) -> str:
    """Return the names of the options by which two identities differ."""
    differing = [key for key in {**asked, **found} if found.get(key) != asked.get(key)]
    return ", ".join(_TITLES.get(key, f"`{key}`") for key in differing)


def _holds_something(storage: Storage) -> bool:
    return any(
        not name.startswith(f"{PROGRESS_NAME}/") and not is_clutter(name.rpartition("/")[2])
        for name in storage.list_names()
    )


def _check_identity(storage: Storage, identity: dict[str, Any]) -> None:
    plan = storage.read(PLAN_NAME)
    if plan is None:
        _write_json(storage, PLAN_NAME, identity)
        return
    differences = describe_differences(json.loads(plan), identity)
    if differences:
        raise ShardsError(
            f"{storage.location} holds an unfinished pack with other {differences}; "
            "go on with the options it was begun with, or choose another folder, or delete it"
        )


def _write_json(storage: Storage, name: str, obj: Any) -> None:
    with storage.writing(name) as part:
        part.write_bytes(format_json(obj))


def _name_record(name: str) -> str:
    return f"{PROGRESS_NAME}/{PurePosixPath(name).stem}.json"
