"""Random access to a file behind a URL, for the standard library."""

import io
from collections.abc import Callable
from typing import Any


class RangeFile(io.RawIOBase):
    """Lets the standard library read a file behind a URL; `io.BufferedReader` reads ahead.

    fsspec's own files with their read-ahead cache are no substitute: they raise ValueError for a
    seek before the start, which `zipfile.is_zipfile` does not expect, they make no request again,
    and a subclass that does so costs every worker the import of fsspec.

    Args:
        read_part: returns the bytes from a start to before a stop.
        num_bytes: size of the file.
    """

    def __init__(self, read_part: Callable[[int, int], bytes], num_bytes: int) -> None:
        super().__init__()
        self._read_part, self._num_bytes = read_part, num_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._num_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        stop = min(self._position + len(buffer), self._num_bytes)
        if stop <= self._position:
            return 0
        data = self._read_part(self._position, stop)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
