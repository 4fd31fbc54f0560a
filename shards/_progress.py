"""The state of an unfinished pack, in OUT/.progress: the plan it follows and a record a shard."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ._atomic import PART_SUFFIX, remove, write_json
from ._errors import ShardsError
from ._lock import lock_folder
from ._manifest import PROGRESS_NAME, ShardInfo, find_cheap_problem

DUPLICATE = "duplicate"
"""Why an image is refused that only repeats another one."""

_PLAN_NAME = "plan.json"
_LOCK_NAME = "lock"
_TITLES = {
    "times": "source files (some changed since)",
    "libraries": "versions of Pillow or simplejpeg",
}


@dataclass(kw_only=True)
class ShardRecord:
    """What packing one shard came to."""

    shard: ShardInfo | None = None
    """None where every image was refused."""
    num_converted: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """Lines of rejected.jsonl."""
    digests: list[str] = field(default_factory=list)
    """Of the packed images' source files, as hex."""

    @property
    def num_bad(self) -> int:
        """Refused images but those that only repeat others."""
        return sum(line["reason"] != DUPLICATE for line in self.rejected)


@dataclass(frozen=True)
class Progress:
    """The records of one pack."""

    out: Path

    @property
    def lock_path(self) -> Path:
        """The file that workers hold a shared lock on."""
        return self.out / PROGRESS_NAME / _LOCK_NAME

    def write(self, name: str, record: ShardRecord) -> None:
        """Record that the shard `name` is done; its files are under their final names."""
        write_json(self._record_path(name), asdict(record))

    def read(self, name: str) -> ShardRecord | None:
        """Return the record of a shard that is done, None for one that is not."""
        path = self._record_path(name)
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        shard = content.pop("shard")
        record = ShardRecord(shard=None if shard is None else ShardInfo(**shard), **content)
        if record.shard is not None and find_cheap_problem(self.out, record.shard) is not None:
            return None
        return record

    def remove(self) -> None:
        """Forget everything: the pack is whole, or given up."""
        remove(self.out / PROGRESS_NAME)

    def _record_path(self, name: str) -> Path:
        return self.out / PROGRESS_NAME / f"{PurePosixPath(name).stem}.json"


@contextmanager
def claim_folder(out: Path, identity: dict[str, Any]) -> Iterator[Progress]:
    """Take `out` for the pack that `identity` describes, new or begun earlier by the same.

    Raises:
        ShardsError: the folder holds something else, an unfinished pack of another identity, or
            another process is packing into it.
    """
    state = out / PROGRESS_NAME
    if not state.is_dir() and out.is_dir() and any(out.iterdir()):
        raise ShardsError(f"{out} is not empty; choose a new folder for the dataset")
    state.mkdir(parents=True, exist_ok=True)
    progress = Progress(out)
    with lock_folder(progress.lock_path, out):
        _check_identity(out, state / _PLAN_NAME, identity)
        _remove_parts(out)
        try:
            yield progress
        finally:
            _remove_parts(out)


def describe_differences(found: dict[str, Any], asked: dict[str, Any]) -> str:
    """Name the options by which two identities differ."""
    differing = [key for key in asked if found.get(key) != asked[key]]
    return ", ".join(
        _TITLES.get(key, "source" if key == "source" else f"--{key.replace('_', '-')}")
        for key in differing
    )


def _check_identity(out: Path, path: Path, identity: dict[str, Any]) -> None:
    if not path.is_file():
        write_json(path, identity)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    differences = describe_differences(found, identity)
    if differences:
        raise ShardsError(
            f"{out} holds an unfinished pack with other {differences}; "
            "give what it was begun with to go on, or another folder, or delete it"
        )


def _remove_parts(out: Path) -> None:
    for part in out.rglob(f"*{PART_SUFFIX}"):
        remove(part)
