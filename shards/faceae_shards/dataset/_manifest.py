"""dataset.json, and a dataset opened by it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._errors import ShardsError
from .._format import (
    ADOPTED,
    FORMAT_NAME,
    FORMAT_VERSION,
    MANIFEST_NAME,
    PLAN_NAME,
    Encoding,
    ShardInfo,
    hash_json,
)
from ..storage import Location, Storage, find_cache, format_json, open_storage

_REMEDY = "delete the dataset and pack it again"
_ADOPTED_REMEDY = "get the tars again, delete dataset.json and `faceae adopt` them anew"
_INDEX_REMEDY = "`faceae verify --reindex` builds it anew"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A packed dataset, opened for reading."""

    location: Location
    """Where it was opened: a folder or a URL."""
    path: Path
    """Folder of its files on this machine; of a remote dataset that in the cache, which
    `open_dataset` fills."""
    encoding: Encoding
    image_size: tuple[int, int] | None
    """(H, W) in pixels where all images are equal by construction (packed with a crop or size)."""
    hash: str
    """sha256 over the manifest's content: identifies the data."""
    splits: dict[str, tuple[ShardInfo, ...]]
    """Shards of each split that has samples, in order: train, valid, test."""
    attribute_names: tuple[str, ...]
    """Attributes that samples carry, in the order of the annotation file; empty without one."""
    manifest: Mapping[str, Any]
    """All of dataset.json."""

    @property
    def is_adopted(self) -> bool:
        """Whether another tool wrote the tars, to rules of its own."""
        kind: str = self.manifest["config"]["source"]["kind"]
        return kind == ADOPTED

    @property
    def remedy(self) -> str:
        """What to do where a tar or the manifest is damaged."""
        return _ADOPTED_REMEDY if self.is_adopted else _REMEDY

    def num_samples(self, split: str) -> int:
        """Return the number of samples of a split that has some."""
        return sum(shard.num_samples for shard in self._shards(split))

    def shard_paths(self, split: str) -> list[Path]:
        """Return the tars of a split, in order."""
        return [self.path / shard.name for shard in self._shards(split)]

    def index_paths(self, split: str) -> list[Path]:
        """Return the DALI index of each tar of a split, in the same order."""
        return [self.path / shard.index_name for shard in self._shards(split)]

    def _shards(self, split: str) -> tuple[ShardInfo, ...]:
        if split not in self.splits:
            present = ", ".join(self.splits)
            raise ShardsError(
                f"{self.location} has no samples in split {split!r}; it has: {present}"
            )
        return self.splits[split]


def read_dataset(location: Location) -> Dataset:
    """Read dataset.json without looking at the shards.

    Raises:
        ShardsError: there is none, it is not ours, of another version, or was edited.
    """
    manifest = _read_manifest(open_storage(location))
    size = manifest["image_size"]
    return Dataset(
        location=location,
        path=location if isinstance(location, Path) else find_cache() / manifest["hash"],
        encoding=manifest["encoding"],
        image_size=None if size is None else (size[0], size[1]),
        hash=manifest["hash"],
        splits={
            name: tuple(ShardInfo(**shard) for shard in shards)
            for name, shards in manifest["splits"].items()
        },
        attribute_names=tuple(manifest["attribute_names"]),
        manifest=manifest,
    )


def write_manifest(
    storage: Storage, content: Mapping[str, Any], splits: Mapping[str, list[ShardInfo]]
) -> None:
    """Write dataset.json: `content`, the shards of each split, and the hash over both."""
    manifest = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        **content,
        "splits": {name: [asdict(shard) for shard in shards] for name, shards in splits.items()},
    }
    with storage.writing(MANIFEST_NAME) as part:
        part.write_bytes(format_json({**manifest, "hash": hash_json(manifest)}))


def find_cheap_problem(storage: Storage, shard: ShardInfo, remedy: str = _REMEDY) -> str | None:
    """Say which file of a shard is missing or of another size, or has a stale index; else None.

    What is said ends in the remedy; `remedy` is the one for a tar.
    """
    for name, num_bytes, action in (
        (shard.name, shard.num_bytes, remedy),
        (shard.index_name, shard.index_num_bytes, _INDEX_REMEDY),
    ):
        file, found = storage.locate(name), storage.size(name)
        if found is None:
            return f"{file} is missing; {action}"
        if found != num_bytes:
            return f"{file} has {found} bytes where {MANIFEST_NAME} says {num_bytes}; {action}"
    index = storage.read(shard.index_name)
    if index is None or hashlib.sha256(index).hexdigest() != shard.index_sha256:
        file = storage.locate(shard.index_name)
        return f"{file} is not the index that was packed; {_INDEX_REMEDY}"
    return None


def _read_manifest(storage: Storage) -> dict[str, Any]:
    file, content = storage.locate(MANIFEST_NAME), storage.read(MANIFEST_NAME)
    if content is None:
        raise ShardsError(_explain_missing(storage))
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise ShardsError(f"{file} is damaged ({error}); {_REMEDY}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_NAME:
        raise ShardsError(f"{file} was not written by `faceae shard`; give a folder that was")
    if manifest.get("version") != FORMAT_VERSION:
        version = manifest.get("version")
        raise ShardsError(
            f"{file} has version {version}, this faceae reads version {FORMAT_VERSION}; "
            "use the faceae that packed it, or pack the dataset again"
        )
    unsigned = {key: value for key, value in manifest.items() if key != "hash"}
    if manifest.get("hash") != hash_json(unsigned):
        raise ShardsError(f"{file} was edited: its hash differs; {_REMEDY}")
    return manifest


def _explain_missing(storage: Storage) -> str:
    if not storage.exists():
        return f"{storage.location} does not exist; give a folder packed by `faceae shard`"
    if storage.size(PLAN_NAME) is not None:
        return (
            f"{storage.location} is only partly packed; run the same `faceae shard` command again"
        )
    return f"{storage.location} holds no {MANIFEST_NAME}; give a folder packed by `faceae shard`"
