"""Joining of requests: what is computed together, what waits, and what a failure leaves alone."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from faceae.serving._batching import Arrivals, Batcher, BatchTimes, Lanes

Use = Callable[[Batcher, Arrivals], Awaitable[None]]


class Model:
    """Multiplies rows by a number, else by 2; records batches, and fails at a row of -1."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.has_begun = False

    def __call__(self, rows: np.ndarray, *numbers: np.ndarray) -> np.ndarray:
        self.has_begun = True
        self.gate.wait(10)
        self.batches.append(len(rows))
        factor = numbers[0] if numbers else 2
        if (rows < 0).any():
            raise RuntimeError("a bad row")
        return rows * factor


def run(model: Model, use: Use, num_lanes: int = 1, **limits: Any) -> list[BatchTimes]:
    """Run `use` beside a batcher of `model`, and return what the batcher observed."""
    observed: list[BatchTimes] = []

    async def main() -> None:
        arrivals = Arrivals()
        with ThreadPoolExecutor(num_lanes) as executor:
            options = {"max_batch": 4, "max_delay_s": 0.0, "observe": observed.append, **limits}
            batcher = Batcher(model, Lanes(executor, num_lanes), arrivals, **options)
            task = asyncio.create_task(batcher.run())
            try:
                await asyncio.wait_for(use(batcher, arrivals), 10)
            finally:
                model.gate.set()
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    asyncio.run(main())
    return observed


def rows(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_requests_that_wait_are_computed_together() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        model.gate.clear()
        tasks = [asyncio.create_task(batcher.submit(rows(i))) for i in range(6)]
        while batcher.num_waiting > 2:  # the first batch is running
            await asyncio.sleep(0.01)
        model.gate.set()
        results = await asyncio.gather(*tasks)
        assert [float(result[0, 0]) for result in results] == [0, 2, 4, 6, 8, 10]

    observed = run(model, use)
    assert model.batches == [4, 2]
    assert [times.num_rows for times in observed] == [4, 2]
    assert [len(times.waits_s) for times in observed] == [4, 2]


def test_a_face_waits_only_for_requests_that_are_coming() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        await batcher.submit(rows(1))  # at once, whatever the delay
        with arrivals.expect():
            first = asyncio.create_task(batcher.submit(rows(1)))
            await asyncio.sleep(0.05)
            assert not first.done()
        await asyncio.gather(first, batcher.submit(rows(2)))

    run(model, use, max_delay_s=5.0)
    assert model.batches == [1, 2]


def test_the_delay_is_a_limit() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        with arrivals.expect():
            await batcher.submit(rows(1))

    run(model, use, max_delay_s=0.01)
    assert model.batches == [1]


def test_many_rows_leave_turns_to_others() -> None:
    model = Model()
    ended = []

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        async def submit(name: str, count: int) -> None:
            result = await batcher.submit(rows(*range(count)))
            assert np.array_equal(result, rows(*range(count)) * 2)
            ended.append(name)

        await asyncio.gather(submit("large", 40), submit("small", 2))

    run(model, use)
    assert ended == ["small", "large"]
    assert max(model.batches) == 4


def test_a_failure_hits_its_own_request_only() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        good, bad, other = await asyncio.gather(
            *(batcher.submit(rows(value)) for value in (1, -1, 3)), return_exceptions=True
        )
        assert isinstance(bad, RuntimeError)
        assert isinstance(good, np.ndarray)
        assert isinstance(other, np.ndarray)
        assert (good[0, 0], other[0, 0]) == (2, 6)

    run(model, use)
    assert model.batches == [3, 1, 1, 1]


def test_a_request_that_was_given_up_is_not_computed() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        model.gate.clear()
        running = asyncio.create_task(batcher.submit(rows(1)))
        await asyncio.sleep(0.02)
        late = asyncio.create_task(batcher.submit(rows(2)))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late, 0.01)
        model.gate.set()
        await running
        await batcher.submit(rows(3))

    run(model, use)
    assert model.batches == [1, 1]


def test_requests_join_only_if_their_numbers_are_equal() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        numbers = (3, 3, 5, 3)
        results = await asyncio.gather(*(batcher.submit(rows(1), np.array(n)) for n in numbers))
        assert [float(result[0, 0]) for result in results] == list(numbers)

    run(model, use)
    assert model.batches == [2, 1, 1]


def test_rows_alone_are_not_joined() -> None:
    model = Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        results = await asyncio.gather(
            batcher.submit(rows(1)),
            batcher.submit(rows(*range(9)), np.array(5), is_alone=True),
            batcher.submit(rows(2)),
        )
        assert [len(result) for result in results] == [1, 9, 1]

    run(model, use)
    assert model.batches == [1, 9, 1]


def test_lanes_compute_beside_each_other() -> None:
    alone, beside = Model(), Model()

    async def use(batcher: Batcher, arrivals: Arrivals) -> None:
        alone.gate.clear()
        first = asyncio.create_task(batcher.submit(rows(1)))
        while not alone.has_begun:
            await asyncio.sleep(0.001)
        beside.gate.clear()
        others = [asyncio.create_task(batcher.submit(rows(i))) for i in range(2)]
        while not beside.has_begun:
            await asyncio.sleep(0.001)
        late = asyncio.create_task(batcher.submit(rows(5)))  # both lanes are busy
        beside.gate.set()
        await asyncio.gather(*others, late)
        assert not first.done()
        alone.gate.set()
        await first

    run(alone, use, num_lanes=2, compute_beside=beside)
    assert alone.batches == [1]
    assert sum(beside.batches) == 3
