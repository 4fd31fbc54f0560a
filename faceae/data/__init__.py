"""Batches of faces out of packed shards: DALI where it is installed, webdataset elsewhere."""

from ._cache import count_cached_bytes
from ._choose import LoaderKind, make_loader
from ._config import Batch, Loader, LoaderConfig

__all__ = [
    "Batch",
    "Loader",
    "LoaderConfig",
    "LoaderKind",
    "count_cached_bytes",
    "make_loader",
]
