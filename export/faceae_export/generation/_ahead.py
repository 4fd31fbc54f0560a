"""Stages of work that go on at the same time, in order and within bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def map_ahead(
    function: Callable[[S], T], items: Iterable[S], *, threads: int = 1, depth: int = 2
) -> Iterator[T]:
    """Yield `function(item)` of each item, in order, computed by threads while earlier ones are
    looked at.

    Stages are put together by giving one's results to the next: while any of them is waited for,
    the others work on. Closing the iterator, or an error in it, ends the threads after what they
    are just computing.

    Args:
        threads: that compute, each an item.
        depth: results that may be there, or in the making, beyond the one looked at.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
