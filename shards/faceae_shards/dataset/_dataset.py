"""A packed dataset and the dataset.json that describes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
from ._manifest import Manifest, PackOptions, parse_manifest

REMEDY = "delete the dataset and pack it again"
_ADOPTED_REMEDY = "get the tars again, delete dataset.json and run `faceae adopt` on them"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A packed dataset, opened for reading."""

    location: Location
    """The folder or URL that it was opened from."""
    path: Path
    """Folder of its files on this machine. For a remote dataset this is its folder in the cache,
    which `open_dataset` fills."""
    hash: str
    """sha256 over the content of dataset.json; equal hashes mean equal data."""
    manifest: Manifest
    """The content of dataset.json."""

    @property
    def encoding(self) -> Encoding:
        """Encoding of all images."""
        return self.manifest.encoding

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(H, W) in pixels; None where images keep their own sizes."""
        return self.manifest.image_size

    @property
    def crop(self) -> int | None:
        """Side in pixels of the centre square that images were cut to; None: they were not."""
        return self.manifest.config.crop

    @property
    def is_aligned(self) -> bool | None:
        """Whether faces are framed as in CelebA's aligned photographs.

        None: unknown, because another tool made the dataset, or an older version of faceae.
        """
        config = self.manifest.config
        if isinstance(config, PackOptions) and config.align is not None:
            return True
        return self.manifest.aligned

    @property
    def splits(self) -> Mapping[str, tuple[ShardInfo, ...]]:
        """Shards of each split that has samples, in order: train, valid, test."""
        return self.manifest.splits

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Attributes that samples carry, in the order of the annotation file; empty without one."""
        return self.manifest.attribute_names

    @property
    def is_adopted(self) -> bool:
        """Whether another tool wrote the tars, by its own rules."""
        return self.manifest.config.source.kind == ADOPTED

    @property
    def remedy(self) -> str:
        """What the user can do where a tar or the manifest is damaged."""
        return _ADOPTED_REMEDY if self.is_adopted else REMEDY

    def to_json(self) -> dict[str, Any]:
        """Return dataset.json as a dictionary."""
        return {**self.manifest.to_json(), "hash": self.hash}

    def num_samples(self, split: str) -> int:
        """Return the number of samples of a split.

        Raises:
            ShardsError: the split has none.
        """
        return sum(shard.num_samples for shard in self._shards(split))

    def shard_paths(self, split: str) -> list[Path]:
        """Return the tars of a split, in order.

        Raises:
            ShardsError: the split has none.
        """
        return [self.path / shard.name for shard in self._shards(split)]

    def index_paths(self, split: str) -> list[Path]:
        """Return the DALI indices of a split, in the order of `shard_paths`.

        Raises:
            ShardsError: the split has none.
        """
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
        ShardsError: the file is missing, was not written by this package, has another version, was
            edited, or lacks a key.
    """
    storage = open_storage(location)
    content = storage.read(MANIFEST_NAME)
    if content is None:
        raise ShardsError(_explain_missing(storage))
    manifest, hash_ = decode_manifest(content, storage.locate(MANIFEST_NAME))
    path = location if isinstance(location, Path) else find_cache() / hash_
    return Dataset(location=location, path=path, hash=hash_, manifest=manifest)


def write_manifest(storage: Storage, manifest: Manifest) -> None:
    """Write dataset.json."""
    with storage.writing(MANIFEST_NAME) as part:
        part.write_bytes(format_json(manifest.to_json()))


def decode_manifest(content: bytes, file: str) -> tuple[Manifest, str]:
    """Return the manifest in the bytes of dataset.json, and its hash.

    Args:
        file: path or URL of dataset.json, for messages.

    Raises:
        ShardsError: see `read_dataset`.
    """
    try:
        decoded = json.loads(content)
    except ValueError as error:
        raise ShardsError(f"{file} is damaged ({error}); {REMEDY}") from error
    if not isinstance(decoded, dict) or decoded.get("format") != FORMAT_NAME:
        raise ShardsError(f"{file} was not written by `faceae shard`; give a folder that was")
    version = decoded.get("version")
    if version != FORMAT_VERSION:
        raise ShardsError(
            f"{file} has version {version}, this faceae reads version {FORMAT_VERSION}; "
            "use the faceae that packed it, or pack the dataset again"
        )
    hash_ = hash_json({key: value for key, value in decoded.items() if key != "hash"})
    if decoded.get("hash") != hash_:
        raise ShardsError(f"{file} was edited: its hash differs; {REMEDY}")
    try:
        return parse_manifest(decoded), hash_
    except ValueError as error:
        raise ShardsError(f"{file} is damaged ({error}); {REMEDY}") from error


def _explain_missing(storage: Storage) -> str:
    if not storage.exists():
        return f"{storage.location} does not exist; give a folder packed by `faceae shard`"
    if storage.size(PLAN_NAME) is not None:
        return (
            f"{storage.location} is only partly packed; run the same `faceae shard` command again"
        )
    return f"{storage.location} holds no {MANIFEST_NAME}; give a folder packed by `faceae shard`"
