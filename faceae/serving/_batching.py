"""Joins the faces of several requests into batches of the model."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Compute = Callable[..., Array]
"""Runs a part of the model: rows, N x ..., to one result per row."""


class Arrivals:
    """Counts the requests that have arrived and have not yet submitted rows to a batcher."""

    def __init__(self) -> None:
        self.coming = 0

    @contextmanager
    def expect(self) -> Iterator[None]:
        """Count a request while it is read."""
        self.coming += 1
        try:
            yield
        finally:
            self.coming -= 1


class Lanes:
    """The threads of a model, which its batchers share. Each computes one batch at a time."""

    def __init__(self, executor: Executor, count: int = 1) -> None:
        """Use `count` threads of `executor`."""
        self.executor = executor
        self._free = asyncio.Semaphore(count)
        self._num_busy = 0

    @property
    def is_one_busy(self) -> bool:
        """Whether no more than one batch is being computed."""
        return self._num_busy <= 1

    async def take(self) -> None:
        """Wait for a free lane; who came first gets it first."""
        await self._free.acquire()
        self._num_busy += 1

    def give_back(self) -> None:
        """Free a lane."""
        self._num_busy -= 1
        self._free.release()


@dataclass(frozen=True, kw_only=True)
class BatchTimes:
    """What a batcher observed about one batch."""

    num_rows: int
    compute_s: float
    waits_s: tuple[float, ...]
    """Time that each request's rows waited."""


@dataclass(eq=False)
class _Piece:
    """Rows of one request that are computed at once."""

    rows: Array
    numbers: tuple[Array, ...]
    is_alone: bool
    result: "asyncio.Future[Array]"
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """One part of the model, and the queue of rows that wait for it.

    Rows of different requests with equal numbers are computed together. If that fails, each request
    is computed again on its own, so that only the request that causes the error fails.
    """

    def __init__(
        self,
        compute: Compute,
        lanes: Lanes,
        arrivals: Arrivals,
        *,
        max_batch: int,
        max_delay_s: float,
        compute_beside: Compute | None = None,
        observe: Callable[[BatchTimes], None] = lambda times: None,
    ) -> None:
        """Make a batcher; `run` must be running for it to compute.

        Args:
            compute: runs the model, on all cores.
            lanes: all batchers of a model share them. A batch is put together only when a lane is
                free, so that it holds all that has arrived.
            max_batch: rows per batch at most.
            max_delay_s: time to wait for requests that are still coming.
            compute_beside: runs the model on one core, while other lanes compute too. None: as
                `compute`.
            observe: called after each batch.
        """
        self._compute = compute
        self._compute_beside = compute_beside or compute
        self._lanes = lanes
        self._arrivals = arrivals
        self._max_batch = max_batch
        self._max_delay_s = max_delay_s
        self._observe = observe
        self._pieces: deque[_Piece] = deque()
        self._changed = asyncio.Event()

    @property
    def num_waiting(self) -> int:
        """Rows in the queue."""
        return sum(len(piece.rows) for piece in self._pieces)

    async def submit(self, rows: Array, *numbers: Array, is_alone: bool = False) -> Array:
        """Return one result per row.

        Many rows are computed in several batches; other requests get their turn between them.

        Args:
            rows: N x ..., at least one row.
            numbers: further arguments of `compute`, each of shape ().
            is_alone: compute these rows in a batch of their own, whatever their number.
        """
        if is_alone:
            return await self._enqueue(rows, numbers, True)
        step = self._max_batch
        parts = [
            await self._enqueue(rows[first : first + step], numbers, False)
            for first in range(0, len(rows), step)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    async def run(self) -> None:
        """Compute batches until this task is cancelled."""
        async with asyncio.TaskGroup() as running:
            while True:
                while not self._pieces:
                    self._changed.clear()
                    await self._changed.wait()
                await self._wait_for_company()
                await self._lanes.take()
                batch = self._take()
                if batch:
                    running.create_task(self._answer_in_lane(batch))
                else:
                    self._lanes.give_back()

    async def _answer_in_lane(self, batch: list[_Piece]) -> None:
        try:
            await self._answer(batch)
        finally:
            self._lanes.give_back()

    async def _enqueue(self, rows: Array, numbers: tuple[Array, ...], is_alone: bool) -> Array:
        result: asyncio.Future[Array] = asyncio.get_running_loop().create_future()
        self._pieces.append(_Piece(rows, numbers, is_alone, result))
        self._changed.set()
        return await result

    async def _wait_for_company(self) -> None:
        if not self._arrivals.coming:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_delay_s):
                while self._arrivals.coming and self.num_waiting < self._max_batch:
                    self._changed.clear()
                    await self._changed.wait()

    def _take(self) -> list[_Piece]:
        """Remove the first pieces that fit into a batch from the queue."""
        batch: list[_Piece] = []
        num_rows = 0
        limit = self._max_batch
        while self._pieces:
            piece = self._pieces[0]
            if piece.result.done():  # the request was given up
                self._pieces.popleft()
                continue
            num_rows += len(piece.rows)
            if batch and (piece.is_alone or piece.numbers != batch[0].numbers or num_rows > limit):
                break
            batch.append(self._pieces.popleft())
            if piece.is_alone:
                break
        return batch

    async def _answer(self, batch: list[_Piece]) -> None:
        began = time.perf_counter()
        try:
            results = await self._run_model(batch)
        except Exception as error:  # whatever an engine raises
            await self._answer_failed(batch, error)
            return
        for piece, result in zip(batch, results, strict=True):
            if not piece.result.done():
                piece.result.set_result(result)
        self._observe(
            BatchTimes(
                num_rows=sum(len(piece.rows) for piece in batch),
                compute_s=time.perf_counter() - began,
                waits_s=tuple(began - piece.since for piece in batch),
            )
        )

    async def _answer_failed(self, batch: list[_Piece], error: Exception) -> None:
        if len(batch) > 1:
            for piece in batch:
                await self._answer([piece])
        elif not batch[0].result.done():
            batch[0].result.set_exception(error)

    async def _run_model(self, batch: list[_Piece]) -> list[Array]:
        run = self._compute if self._lanes.is_one_busy else self._compute_beside

        def compute() -> list[Array]:
            numbers = batch[0].numbers
            if len(batch) == 1:
                return [run(batch[0].rows, *numbers)]
            result = run(np.concatenate([piece.rows for piece in batch]), *numbers)
            ends = np.cumsum([len(piece.rows) for piece in batch])[:-1]
            return np.split(result, ends)

        return await asyncio.get_running_loop().run_in_executor(self._lanes.executor, compute)
