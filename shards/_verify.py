"""Every byte of a dataset against its manifest, and every image decoded."""

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._adopt import find_foreign_problem
from ._config import count_cpus
from ._decode import ImageRefused
from ._images import check_stored
from ._manifest import (
    MANIFEST_NAME,
    REJECTED_NAME,
    Dataset,
    Encoding,
    ShardInfo,
    hash_file,
    read_dataset,
)
from ._pool import Tick, run_tasks
from ._tar import KEY_DIGITS, Member, format_index, format_line, group_members

_JUNK_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers leave in any folder."""


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What `verify` looked at and found."""

    num_shards: int
    num_samples: int
    """As the manifest counts them."""
    num_bytes: int
    """Of all tars, as the manifest counts them."""
    remedy: str
    """What to do where there are problems with more than an index."""
    problems: tuple[str, ...]
    """One line each, beginning with the file's name inside the dataset; empty for a sound one."""


def verify(
    path: Path,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Check a whole dataset and report everything that is wrong with it.

    Checked are: the manifest's own hash, the sha256 of every tar, index and of rejected.jsonl, the
    index rebuilt from the tar, every sample's members, json and key, every image by decoding it,
    and that the folder holds nothing else.

    Args:
        workers: processes; by default one a core.
        on_progress: receives the number of samples checked so far, and the number to check.

    Raises:
        ShardsError: there is no dataset at `path`, or its manifest cannot be relied on.
    """
    dataset = read_dataset(path)
    shards = [shard for split in dataset.splits.values() for shard in split]
    num_samples = sum(shard.num_samples for shard in shards)
    problems = list(_check_folder(dataset, shards))
    run_tasks(
        _VerifyWorker(path, dataset.encoding, dataset.image_size, dataset.is_adopted),
        shards,
        processes=min(workers or count_cpus(), len(shards)),
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


def _check_folder(dataset: Dataset, shards: list[ShardInfo]) -> Iterator[str]:
    """Look at all that is not a shard."""
    rejected = dataset.path / REJECTED_NAME
    if not rejected.is_file():
        yield f"{REJECTED_NAME} is missing"
    elif hash_file(rejected) != dataset.manifest["rejected_sha256"]:
        yield f"{REJECTED_NAME} differs from what was packed (sha256)"
    if dataset.is_adopted:
        return  # other tools leave files of their own
    known = {MANIFEST_NAME, REJECTED_NAME}
    known.update(name for shard in shards for name in (shard.name, shard.index_name))
    for file in dataset.path.rglob("*"):
        name = file.relative_to(dataset.path).as_posix()
        if not file.is_dir() and name not in known and file.name not in _JUNK_NAMES:
            yield f"{name} does not belong to the dataset"


@dataclass
class _VerifyWorker:
    """Checks shards, one after another."""

    path: Path
    encoding: Encoding
    image_size: tuple[int, int] | None
    is_adopted: bool

    def run(self, shard: ShardInfo, tick: Tick) -> list[str]:
        """Return what is wrong with one shard."""
        return [
            *self._check_bytes(shard.name, shard.num_bytes, shard.sha256),
            *self._check_bytes(shard.index_name, shard.index_num_bytes, shard.index_sha256),
            *self._check_content(shard, tick),
        ]

    def close(self) -> None:
        """Nothing stays open."""

    def _check_bytes(self, name: str, num_bytes: int, sha256: str) -> Iterator[str]:
        file = self.path / name
        if not file.is_file():
            yield f"{name} is missing"
        elif file.stat().st_size != num_bytes:
            yield f"{name} has {file.stat().st_size} bytes instead of {num_bytes}"
        elif hash_file(file) != sha256:
            yield f"{name} differs from what was packed (sha256)"

    def _check_content(self, shard: ShardInfo, tick: Tick) -> Iterator[str]:
        """Read the tar through: its samples, then the index they make."""
        if not (self.path / shard.name).is_file():
            return
        lines: list[str] = []
        keys: set[str] = set()
        try:
            for key, members in group_members(self.path / shard.name):
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
            yield f"{shard.name} holds {len(lines)} samples instead of {shard.num_samples}"
        index = self.path / shard.index_name
        if index.is_file() and index.read_bytes() != format_index(lines):
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
