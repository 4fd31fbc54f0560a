"""Reading images ahead of their use."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ._source import Entry, Reader

_MAX_IMAGES = 128
_MAX_BYTES = 32 << 20
"""Limit of the images fetched together; up to twice as much, and one image, is in memory."""

T = TypeVar("T")


def read_ahead(reader: Reader, items: Iterable[T], get_entry: Callable[[T], Entry]) -> Iterator[T]:
    """Yield the items while the reader fetches the images of the next ones."""
    ready: list[T] = []
    for window in _cut(items, get_entry):
        reader.prefetch([get_entry(item) for item in window])
        yield from ready
        ready = window
    yield from ready


def _cut(items: Iterable[T], get_entry: Callable[[T], Entry]) -> Iterator[list[T]]:
    window: list[T] = []
    num_bytes = 0
    for item in items:
        window.append(item)
        num_bytes += get_entry(item).num_bytes or 0
        if len(window) == _MAX_IMAGES or num_bytes >= _MAX_BYTES:
            yield window
            window, num_bytes = [], 0
    if window:
        yield window
