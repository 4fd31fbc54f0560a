"""Pipeline stages that run in threads, in order and within bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def prefetch_map(
    function: Callable[[S], T], items: Iterable[S], *, threads: int = 1, depth: int = 2
) -> Iterator[T]:
    """Yield `function(item)` for each item, in order, and compute the next results in threads.

    Pass the iterator to another `prefetch_map` to build a pipeline whose stages work at the same
    time. Closing the iterator, or an error in `function`, cancels the results that no thread has
    started.

    Args:
        threads: number of items to compute at once.
        depth: number of results to compute ahead of the one that was yielded last.
    """
    results: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                results.append(pool.submit(function, item))
                if len(results) > depth:
                    yield results.popleft().result()
            while results:
                yield results.popleft().result()
        finally:
            for result in results:
                result.cancel()
