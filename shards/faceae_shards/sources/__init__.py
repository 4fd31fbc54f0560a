"""Where photographs come from: folders, zips, tars, Parquet, lists; on a disk or behind URLs."""

from ._celeba import Annotations, describe_shortfall, find_annotations
from ._detect import list_source
from ._files import LocalFiles
from ._prefetch import read_ahead
from ._source import Entries, Entry, Reader, Source, escape
from ._spool import spool
from ._tar import SPLIT_NAMES, list_tar_members

__all__ = [
    "SPLIT_NAMES",
    "Annotations",
    "Entries",
    "Entry",
    "LocalFiles",
    "Reader",
    "Source",
    "describe_shortfall",
    "escape",
    "find_annotations",
    "list_source",
    "list_tar_members",
    "read_ahead",
    "spool",
]
