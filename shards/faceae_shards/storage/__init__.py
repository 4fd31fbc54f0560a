"""Files and where they are stored: atomic writes, object stores, locks and the cache."""

from ._atomic import (
    PART_SUFFIX,
    atomic_path,
    discard_on_error,
    format_json,
    holds_files,
    is_clutter,
    remove,
    write_json,
)
from ._cache_folder import CacheEntry, find_cache
from ._lock import hold_shared
from ._remote import (
    MAX_REQUESTS,
    AccessRefused,
    Location,
    NotThere,
    ask,
    connect,
    explain_errors,
    is_url,
    is_web,
    merge_ranges,
    name_of,
    parse_location,
    retry,
)
from ._storage import LocalFolder, RemotePrefix, Storage, open_storage

__all__ = [
    "MAX_REQUESTS",
    "PART_SUFFIX",
    "AccessRefused",
    "CacheEntry",
    "LocalFolder",
    "Location",
    "NotThere",
    "RemotePrefix",
    "Storage",
    "ask",
    "atomic_path",
    "connect",
    "discard_on_error",
    "explain_errors",
    "find_cache",
    "format_json",
    "hold_shared",
    "holds_files",
    "is_clutter",
    "is_url",
    "is_web",
    "merge_ranges",
    "name_of",
    "open_storage",
    "parse_location",
    "remove",
    "retry",
    "write_json",
]
