"""Batches of faces from packed shards, read by DALI or webdataset."""

from ._cache import count_cached_bytes
from ._choose import LoaderKind, make_loader, open_split
from ._config import Batch, Loader, LoaderConfig
from ._progress import OnImages, report_batches

__all__ = [
    "Batch",
    "Loader",
    "LoaderConfig",
    "LoaderKind",
    "OnImages",
    "count_cached_bytes",
    "make_loader",
    "open_split",
    "report_batches",
]
