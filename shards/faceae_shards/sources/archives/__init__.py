"""Archives of photographs: zips, tars and Parquet files."""

from ._parquet import SUFFIX, list_parquet
from ._spool import spool
from ._tar import list_tars
from ._tar_members import COMPRESSED_STARTS, list_tar_members
from ._zip import list_zip
from ._zip_directory import ZipMember, read_zip_directory

__all__ = [
    "COMPRESSED_STARTS",
    "SUFFIX",
    "ZipMember",
    "list_parquet",
    "list_tar_members",
    "list_tars",
    "list_zip",
    "read_zip_directory",
    "spool",
]
