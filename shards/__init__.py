"""The on-disk dataset: photographs packed into checked, indexed, checksummed WebDataset tars."""

from ._atomic import atomic_path, write_json
from ._config import PackConfig, PackSummary
from ._errors import ShardsError
from ._manifest import Dataset, ShardInfo, open_dataset

__all__ = [
    "Dataset",
    "PackConfig",
    "PackSummary",
    "ShardInfo",
    "ShardsError",
    "atomic_path",
    "open_dataset",
    "write_json",
]
