"""Indices rebuilt from their tars."""

import hashlib
import tarfile

from .._errors import ShardsError
from .._format import ShardInfo, hash_file
from ..storage import Location, Storage, open_storage
from ._dataset import read_dataset
from ._tar import format_index, format_line, group_members


def reindex(location: Location) -> list[str]:
    """Rebuild every index that is missing or differs from its record; return their names.

    An index is rebuilt only from a tar that has its recorded sha256. A damaged tar is skipped;
    `verify` reports it.

    Raises:
        ShardsError: there is no dataset at `location`, its dataset.json is damaged, or a rebuilt
            index differs from its record.
        OSError: as the file system reports it.
    """
    rebuilt = []
    storage = open_storage(location)
    for shards in read_dataset(location).splits.values():
        for shard in shards:
            if not _has_index(storage, shard) and _rebuild(storage, shard):
                rebuilt.append(shard.index_name)
    return rebuilt


def _has_index(storage: Storage, shard: ShardInfo) -> bool:
    index = storage.read(shard.index_name)
    return index is not None and hashlib.sha256(index).hexdigest() == shard.index_sha256


def _rebuild(storage: Storage, shard: ShardInfo) -> bool:
    """Rebuild an index if its tar has the recorded sha256; return whether it did."""
    if storage.size(shard.name) != shard.num_bytes:
        return False
    with storage.local_copy(shard.name) as tar:
        if hash_file(tar) != shard.sha256:
            return False
        try:
            lines = [format_line(members) for _, members in group_members(tar)]
        except tarfile.TarError as error:
            where = storage.locate(shard.name)
            raise ShardsError(f"{where} cannot be read as a tar: {error}") from error
    index = format_index(lines)
    if hashlib.sha256(index).hexdigest() != shard.index_sha256:
        where = storage.locate(shard.index_name)
        raise ShardsError(
            f"{where}: the index of {shard.name} is not the one that was packed; "
            "use the faceae that packed the dataset"
        )
    with storage.writing(shard.index_name) as part:
        part.write_bytes(index)
    return True
