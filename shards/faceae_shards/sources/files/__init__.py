"""Files by their names, below a folder or a URL: whole or in parts."""

from ._files import SourceFiles, Span, check_unchanged, describe_container
from ._folder import FolderReader
from ._local_files import LocalFiles
from ._open_files import detect_kind, open_beside, open_files

__all__ = [
    "FolderReader",
    "LocalFiles",
    "SourceFiles",
    "Span",
    "check_unchanged",
    "describe_container",
    "detect_kind",
    "open_beside",
    "open_files",
]
