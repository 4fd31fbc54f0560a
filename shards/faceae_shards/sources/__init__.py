"""Where photographs come from: folders, zips, tars, Parquet, lists; on a disk or behind URLs."""

from ._detect import list_source
from ._prefetch import read_ahead
from ._source import Entries, Entry, Reader, Source, escape
from ._splits import find_file_splits, find_folder_split, find_folder_splits
from .annotations import WILD_FIELD, Annotations, describe_shortfall, find_annotations
from .archives import ZipMember, list_tar_members, read_zip_directory, spool
from .files import LocalFiles

__all__ = [
    "WILD_FIELD",
    "Annotations",
    "Entries",
    "Entry",
    "LocalFiles",
    "Reader",
    "Source",
    "ZipMember",
    "describe_shortfall",
    "escape",
    "find_annotations",
    "find_file_splits",
    "find_folder_split",
    "find_folder_splits",
    "list_source",
    "list_tar_members",
    "read_ahead",
    "read_zip_directory",
    "spool",
]
