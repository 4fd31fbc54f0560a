"""Checks of a dataset's files that are cheap enough for every start."""

import hashlib

from .._errors import ShardsError
from .._format import MANIFEST_NAME, ShardInfo
from ..storage import Storage
from ._dataset import REMEDY, Dataset

_INDEX_REMEDY = "rebuild it with `faceae verify` and `reindex=True`"


def check_shards(dataset: Dataset, storage: Storage) -> None:
    """Check that every tar and index has its recorded size and every index its recorded content.

    Raises:
        ShardsError: naming the first file that differs, and the remedy.
    """
    for shards in dataset.splits.values():
        for shard in shards:
            problem = find_cheap_problem(storage, shard, dataset.remedy)
            if problem is not None:
                raise ShardsError(problem)


def find_cheap_problem(storage: Storage, shard: ShardInfo, remedy: str = REMEDY) -> str | None:
    """Return which file of a shard is missing, or differs in size or index, with the remedy.

    Args:
        remedy: for a damaged tar.

    Returns:
        One line; None where nothing is wrong.
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
