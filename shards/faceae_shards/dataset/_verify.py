"""Full check of a dataset: every hash, every index and every image."""

import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .._format import MANIFEST_NAME, REJECTED_NAME, Encoding, ShardInfo, hash_file
from .._wording import count_of
from ..executors import LocalExecutor, Tick, count_cpus
from ..images import ImageRefused, check_stored
from ..storage import Location, Storage, open_storage
from ._dataset import Dataset, read_dataset
from ._foreign import find_foreign_problem
from ._tar import KEY_DIGITS, Member, format_index, format_line, group_members

_JUNK_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers leave in any folder."""


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """The result of `verify`."""

    num_shards: int
    num_samples: int
    """As recorded in dataset.json."""
    num_bytes: int
    """Size of all tars, as recorded in dataset.json."""
    remedy: str
    """What the user can do about problems that are not limited to an index."""
    problems: tuple[str, ...]
    """One line each, starting with the file's name inside the dataset; empty if none."""


def verify(
    location: Location,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Check a whole dataset and report everything that is wrong with it.

    The checks: the hash of dataset.json; the sha256 of every tar, every index and rejected.jsonl;
    every index against one rebuilt from its tar; the members, json and key of every sample; every
    image, by decoding it; and that the folder holds no other files.

    For a remote dataset the stored objects are checked, not the cache: each shard is downloaded
    and not kept.

    Args:
        workers: number of processes; by default one per core.
        on_progress: receives the number of samples checked so far and the total.

    Raises:
        ShardsError: there is no dataset at `location`, or its dataset.json is damaged.
    """
    dataset = read_dataset(location)
    storage = open_storage(location)
    shards = [shard for split in dataset.splits.values() for shard in split]
    num_samples = sum(shard.num_samples for shard in shards)
    problems = list(_check_folder(dataset, storage, shards))
    LocalExecutor(workers or count_cpus()).run(
        _VerifyWorker(storage, dataset.encoding, dataset.image_size, dataset.is_adopted),
        shards,
        on_result=problems.extend,
        on_ticks=lambda done: on_progress(done, num_samples) if on_progress else None,
    )
    return VerifyReport(
        num_shards=len(shards),
        num_samples=num_samples,
        num_bytes=sum(shard.num_bytes for shard in shards),
        remedy=dataset.remedy,
        problems=tuple(sorted(problems)),
    )


def _check_folder(dataset: Dataset, storage: Storage, shards: list[ShardInfo]) -> Iterator[str]:
    """Yield the problems of all files that belong to no shard."""
    if storage.size(REJECTED_NAME) is None:
        yield f"{REJECTED_NAME} is missing"
    else:
        with storage.local_copy(REJECTED_NAME) as rejected:
            if hash_file(rejected) != dataset.manifest.rejected_sha256:
                yield f"{REJECTED_NAME} differs from what was packed (sha256)"
    if dataset.is_adopted:
        return  # other tools leave their own files
    known = {MANIFEST_NAME, REJECTED_NAME}
    known.update(name for shard in shards for name in (shard.name, shard.index_name))
    for name in storage.list_names():
        if name not in known and PurePosixPath(name).name not in _JUNK_NAMES:
            yield f"{name} does not belong to the dataset"


@dataclass
class _VerifyWorker:
    """Checks shards, one after another."""

    storage: Storage
    encoding: Encoding
    image_size: tuple[int, int] | None
    is_adopted: bool

    def run(self, shard: ShardInfo, tick: Tick) -> list[str]:
        """Return the problems of one shard."""
        with ExitStack() as stack:
            tar = self._open(stack, shard.name)
            index = self._open(stack, shard.index_name)
            return [
                *_check_bytes(tar, shard.name, shard.num_bytes, shard.sha256),
                *_check_bytes(index, shard.index_name, shard.index_num_bytes, shard.index_sha256),
                *self._check_content(shard, tar, index, tick),
            ]

    def close(self) -> None:
        """Nothing stays open."""

    def _open(self, stack: ExitStack, name: str) -> Path | None:
        """Return a local path of a file; None where the file is missing."""
        if self.storage.size(name) is None:
            return None
        return stack.enter_context(self.storage.local_copy(name))

    def _check_content(
        self, shard: ShardInfo, tar: Path | None, index: Path | None, tick: Tick
    ) -> Iterator[str]:
        """Yield the problems of the samples, then those of the index."""
        if tar is None:
            return
        lines: list[str] = []
        keys: set[str] = set()
        try:
            for key, members in group_members(tar):
                lines.append(format_line(members))
                if self.is_adopted:
                    problem = find_foreign_problem(members)
                else:
                    problem = self._find_problem(key, members)
                if key in keys:
                    problem = "its key is there twice"
                if problem is not None:
                    yield f"{shard.name}: {key}: {problem}"
                keys.add(key)
                tick()
        except tarfile.TarError as error:
            yield f"{shard.name} cannot be read as a tar: {error}"
        if len(lines) != shard.num_samples:
            held = count_of(len(lines), "sample")
            yield f"{shard.name} holds {held} instead of {shard.num_samples}"
        if index is not None and index.read_bytes() != format_index(lines):
            yield f"{shard.index_name} is not the index of its tar"

    def _find_problem(self, key: str, members: list[Member]) -> str | None:
        extensions = [member.extension for member in members]
        if extensions != [self.encoding, "json"]:
            return f"its members are {', '.join(extensions)}"
        if len(key) != KEY_DIGITS or not key.isdecimal():
            return f"its key is not a number of {KEY_DIGITS} digits"
        image, text = (member.data for member in members)
        try:
            size = check_stored(image, self.encoding)
        except ImageRefused as refusal:
            return str(refusal)
        if self.image_size not in (None, size):
            return f"the image has {size[1]}x{size[0]} pixels"
        return _find_json_problem(text, size)


def _check_bytes(file: Path | None, name: str, num_bytes: int, sha256: str) -> Iterator[str]:
    if file is None:
        yield f"{name} is missing"
    elif file.stat().st_size != num_bytes:
        yield f"{name} has {file.stat().st_size} bytes instead of {num_bytes}"
    elif hash_file(file) != sha256:
        yield f"{name} differs from what was packed (sha256)"


def _find_json_problem(text: bytes, size: tuple[int, int]) -> str | None:
    try:
        described: Any = json.loads(text)
    except ValueError as error:
        return f"its json is damaged: {error}"
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        return "its json names no image"
    if (described.get("height"), described.get("width")) != size:
        return f"its json gives another size than the image's {size[1]}x{size[0]} pixels"
    return None
