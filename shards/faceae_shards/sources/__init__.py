"""Where photographs come from: folders, zips, tars, Parquet, lists; on a disk or behind URLs."""

from ._celeba import Annotations, describe_shortfall, find_annotations
from ._detect import list_source
from ._local_files import LocalFiles
from ._prefetch import read_ahead
from ._source import Entries, Entry, Reader, Source, escape
from ._splits import find_file_splits, find_folder_split, find_folder_splits
from ._spool import spool
from ._tar import list_tar_members
from ._zip_directory import ZipMember, read_zip_directory

__all__ = [
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
