"""Stages that work at the same time: order, bounded memory, errors and clean ends."""

import threading
import time
from collections.abc import Iterator

import pytest

from faceae_export.generation._prefetch import prefetch_map


def count_up(limit: int, drawn: list[int]) -> Iterator[int]:
    for number in range(limit):
        drawn.append(number)
        yield number


def wait_for(condition: "threading.Event") -> None:
    assert condition.wait(10)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_results_come_in_order(threads: int, count: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    found = list(prefetch_map(work, range(count), threads=threads, depth=4))
    assert found == [number * number for number in range(count)]


def test_no_more_is_drawn_than_the_depth_allows() -> None:
    drawn: list[int] = []
    results = prefetch_map(int, count_up(100, drawn), depth=3)
    assert drawn == []
    assert [next(results), next(results)] == [0, 1]
    assert len(drawn) == 5


def test_stages_work_while_the_last_one_is_looked_at() -> None:
    """The first stage computes number 1 while number 0 is still in use."""
    is_ahead = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            is_ahead.set()
        return number

    results = prefetch_map(int, prefetch_map(work, range(5)))
    assert next(results) == 0
    wait_for(is_ahead)
    assert list(results) == [1, 2, 3, 4]


def test_error_of_a_stage_comes_in_its_turn_and_ends_the_threads() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("number 2")
        return number

    before = threading.active_count()
    results = prefetch_map(work, range(50))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="number 2"):
        next(results)
    with pytest.raises(ValueError, match="number 2"):
        list(prefetch_map(int, prefetch_map(work, range(50))))
    assert threading.active_count() <= before


def test_closing_ends_the_threads_without_the_rest() -> None:
    before = threading.active_count()
    drawn: list[int] = []
    results = prefetch_map(int, prefetch_map(int, count_up(1000, drawn)))
    next(results)
    results.close()
    assert threading.active_count() <= before
    assert len(drawn) < 10
