"""Turn shards of other tools into a dataset: write an index beside each shard, and a manifest."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._errors import ShardsError
from .._format import (
    ADOPTED,
    MANIFEST_NAME,
    PROGRESS_NAME,
    REJECTED_NAME,
    SPLITS,
    ShardInfo,
    hash_file,
)
from ..dataset import (
    Dataset,
    Manifest,
    Member,
    PackOptions,
    SourceInfo,
    find_foreign_problem,
    format_index,
    format_line,
    group_members,
    open_dataset,
    write_manifest,
)
from ..executors import LocalExecutor, Tick, count_cpus
from ..sources import LocalFiles, escape, find_file_splits, find_folder_split, list_tar_members
from ..storage import LocalFolder, atomic_path

_NUM_EXAMPLES = 3


def adopt(
    path: Path,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Turn WebDataset shards into a dataset, as webdataset.ShardWriter or img2dataset write them.

    The tars stay as they are. An index is written beside each, then an empty rejected.jsonl, then
    dataset.json. As in `pack`, the tars' names (train-00000.tar, val-00000.tar) or folders (train,
    val, test) name the splits. Other tars in `path` itself are for training. Every sample is read
    and every image decoded. A sample that loaders would fail on, or skip in silence, is an error.

    Args:
        workers: processes. The default is one per core.
        on_progress: receives the number of samples checked so far, and the number to check.

    Raises:
        ShardsError: the folder has no tars, tars in other sub-folders, or is a dataset already. Or
            a tar is cut. Or a sample has no jpg, dots in its key, members that lie apart, or an
            image that `pack` would refuse or convert for more than its colour profile.
        OSError: the file system failed. Some indices may have been written.
    """
    names = _list_tars(path)
    num_images = sum(
        member.name.endswith(".jpg")
        for tars in names.values()
        for name in tars
        for member in list_tar_members(LocalFiles(path), name)
    )
    checked: list[_CheckedTar] = []
    tasks = [name for tars in names.values() for name in tars]
    LocalExecutor(workers or count_cpus()).run(
        _AdoptWorker(path),
        tasks,
        on_result=checked.append,
        on_ticks=lambda done: on_progress(done, num_images) if on_progress else None,
    )
    _raise_problems(path, sorted(problem for tar in checked for problem in tar.problems))
    by_name = {tar.shard.name: tar for tar in checked}
    for tar in checked:
        with atomic_path(path / tar.shard.index_name) as part:
            part.write_bytes(tar.index)
    with atomic_path(path / REJECTED_NAME) as part:
        part.touch()
    shards = {split: [by_name[name].shard for name in tars] for split, tars in names.items()}
    write_manifest(LocalFolder(path), _describe(path, shards, by_name[tasks[0]].first_json))
    return open_dataset(path)


@dataclass(frozen=True, kw_only=True)
class _CheckedTar:
    shard: ShardInfo
    index: bytes
    first_json: dict[str, Any]
    """The json of its first sample, empty where it has none."""
    problems: tuple[str, ...]


@dataclass
class _AdoptWorker:
    """Checks tars, one after another."""

    path: Path

    def run(self, name: str, tick: Tick) -> _CheckedTar:
        lines: list[str] = []
        keys: set[str] = set()
        problems: list[str] = []
        first_json: dict[str, Any] = {}
        for key, members in self._read(name):
            problem = find_foreign_problem(members)
            if key in keys:
                problem = "its members do not lie side by side"
            if problem is not None:
                problems.append(f"{name}: {key}: {problem}")
            if not lines:
                first_json = _read_json(members)
            keys.add(key)
            lines.append(format_line(members))
            tick()
        if not lines:
            problems.append(f"{name} holds no samples")
        index = format_index(lines)
        shard = ShardInfo(
            name=name,
            num_samples=len(lines),
            num_bytes=(self.path / name).stat().st_size,
            sha256=hash_file(self.path / name),
            index_num_bytes=len(index),
            index_sha256=hashlib.sha256(index).hexdigest(),
        )
        return _CheckedTar(
            shard=shard, index=index, first_json=first_json, problems=tuple(problems)
        )

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _read(self, name: str) -> Iterator[tuple[str, list[Member]]]:
        try:
            yield from group_members(self.path / name)
        except tarfile.TarError as error:
            raise ShardsError(f"{self.path / name} is damaged: {error}; get it again") from error


def _list_tars(path: Path) -> dict[str, list[str]]:
    """Return the tars of each split, in order, by their paths inside the folder."""
    if not path.is_dir():
        raise ShardsError(f"{path} is no folder; give one that holds WebDataset shards")
    if (path / MANIFEST_NAME).exists():
        raise ShardsError(f"{path} is a dataset already; check it with `faceae verify`")
    if (path / PROGRESS_NAME).exists():
        raise ShardsError(f"{path} is only partly packed; run the same `faceae shard` again")
    names = [tar.relative_to(path).as_posix() for tar in sorted(path.rglob("*.tar"))]
    splits = find_file_splits(names) or [_find_split(path, name) for name in names]
    found: dict[str, list[str]] = {}
    for name, split in zip(names, splits, strict=True):
        found.setdefault(split, []).append(name)
    if SPLITS[0] not in found:
        raise ShardsError(f"{path} holds no tars to train on (*.tar there, or in train/)")
    return {split: found[split] for split in SPLITS if split in found}


def _find_split(path: Path, name: str) -> str:
    split = SPLITS[0] if "/" not in name else find_folder_split(name)
    if split is None:
        raise ShardsError(
            f"{path} holds {escape(name)}; tars may lie in the folder itself, or below train, "
            "valid and test; move the others away"
        )
    return split


def _read_json(members: list[Member]) -> dict[str, Any]:
    for member in members:
        if member.extension == "json":
            try:
                described = json.loads(member.data)
            except ValueError:  # loaders never look at it
                return {}
            return described if isinstance(described, dict) else {}
    return {}


def _raise_problems(path: Path, problems: list[str]) -> None:
    if problems:
        more = f" and {len(problems) - _NUM_EXAMPLES} more" if len(problems) > _NUM_EXAMPLES else ""
        raise ShardsError(
            f"{path} cannot be used as it is: {'; '.join(problems[:_NUM_EXAMPLES])}{more}; pack "
            f"its images into a new dataset with `faceae shard`"
        )


def _describe(
    path: Path, shards: dict[str, list[ShardInfo]], first_json: dict[str, Any]
) -> Manifest:
    """Return the manifest of the tars that were found."""
    attributes = first_json.get("attributes")
    source = SourceInfo(
        kind=ADOPTED,
        name=escape(path.resolve().name),
        num_images=sum(shard.num_samples for split in shards.values() for shard in split),
        num_ignored=0,
    )
    return Manifest(
        config=PackOptions(
            crop=None,
            size=None,
            encoding="jpg",
            samples_per_shard=None,
            split=None,
            seed=None,
            source=source,
        ),
        encoding="jpg",
        image_size=None,
        split_by="source",
        annotations=tuple(first_json),
        attribute_names=tuple(attributes) if isinstance(attributes, dict) else (),
        num_converted=0,
        num_rejected={},
        rejected_sha256=hashlib.sha256().hexdigest(),
        splits={split: tuple(found) for split, found in shards.items()},
    )
