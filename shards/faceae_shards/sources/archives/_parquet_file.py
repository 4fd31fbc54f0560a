"""Opens Parquet files and reads their rows in batches.

Rows can only be read group by group, hundreds at once.
"""

import bisect
import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..._errors import ShardsError
from ..files import SourceFiles

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

_ROWS = 16
"""Rows of a row group that are decoded at once."""
_BUFFER_BYTES = 1 << 20


@contextmanager
def open_parquet(files: SourceFiles, name: str) -> "Iterator[ParquetFile]":
    """Open a file; turn errors in the block into one line.

    Raises:
        ShardsError: the file is damaged, or pyarrow is not installed.
    """
    where = files.locate(name)
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ShardsError(f"{where} is Parquet: pip install 'faceae[parquet]'") from error
    with files.open(name) as stream:
        try:
            yield ParquetFile(
                stream,
                buffer_size=_BUFFER_BYTES,  # of each column, in place of the whole of a row group
                pre_buffer=False,
                page_checksum_verification=True,
            )
        except (ArrowException, OSError) as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            message = f"{where} cannot be read as Parquet ({text}); get it again"
            raise ShardsError(message) from error


def read_batches(
    files: SourceFiles, name: str, columns: list[str], *, row: int = 0, num_rows: int = _ROWS
) -> "Generator[tuple[int, pyarrow.RecordBatch]]":
    """Yield first row and content of each batch, starting at the row group that holds `row`."""
    with open_parquet(files, name) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        starts = list(itertools.accumulate(sizes, initial=0))
        group = bisect.bisect_right(starts, row) - 1
        start, groups = starts[group], range(group, len(sizes))
        for batch in file.iter_batches(num_rows, groups, columns, use_threads=False):
            yield start, batch
            start += batch.num_rows
