"""Indices made anew from the tars they belong to."""

import hashlib
import tarfile
from pathlib import Path

from ._atomic import atomic_path
from ._errors import ShardsError
from ._manifest import ShardInfo, hash_file, read_dataset
from ._tar import format_index, format_line, group_members


def reindex(path: Path) -> list[str]:
    """Rebuild every index that is missing or differs from what was packed; return their names.

    An index is rebuilt only from a tar whose sha256 is the recorded one: any other tar stays as
    `verify` will find it.

    Raises:
        ShardsError: there is no dataset at `path`, or its manifest cannot be relied on.
        OSError: as the file system reports it.
    """
    rebuilt = []
    for shards in read_dataset(path).splits.values():
        for shard in shards:
            if not _has_index(path, shard) and _has_tar(path, shard):
                _rebuild(path, shard)
                rebuilt.append(shard.index_name)
    return rebuilt


def _has_index(path: Path, shard: ShardInfo) -> bool:
    index = path / shard.index_name
    return index.is_file() and hash_file(index) == shard.index_sha256


def _has_tar(path: Path, shard: ShardInfo) -> bool:
    tar = path / shard.name
    return tar.is_file() and hash_file(tar) == shard.sha256


def _rebuild(path: Path, shard: ShardInfo) -> None:
    try:
        lines = [format_line(members) for _, members in group_members(path / shard.name)]
    except tarfile.TarError as error:
        raise ShardsError(f"{path / shard.name} cannot be read as a tar: {error}") from error
    index = format_index(lines)
    if hashlib.sha256(index).hexdigest() != shard.index_sha256:
        raise ShardsError(
            f"{path / shard.index_name}: the index of {shard.name} is not the one that was packed; "
            "use the faceae that packed the dataset"
        )
    with atomic_path(path / shard.index_name) as part:
        part.write_bytes(index)
