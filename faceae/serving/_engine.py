"""Does the tasks: one queue per part of the model, and the threads that run the model."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceae.editing import add_residual
from faceae.latent import interpolate, latent_noise
from faceae_export import CPU_MICRO_BATCH, Kind

from ._arrays import to_pixels
from ._batching import Arrivals, Batcher, BatchTimes, Lanes
from ._config import ServeConfig
from ._model import ServedModel
from ._problem import Problem
from ._replies import Faces
from ._tasks import TaskRequest

T = TypeVar("T")
Observe = Callable[[Kind, BatchTimes], None]

_log = logging.getLogger("faceae.serving")
_LIMIT = 2**63


class Engine:
    """The model with its queues and threads. Use it inside one event loop."""

    def __init__(
        self,
        model: ServedModel,
        config: ServeConfig,
        observe: Observe,
        observe_latents: Callable[[NDArray[np.float32]], None] = lambda latents: None,
    ) -> None:
        """Prepare the queues; `start` starts them.

        Args:
            observe: called after each batch with the part that computed it.
            observe_latents: called with the latents of a request's images.
        """
        self.model = model
        self.arrivals = Arrivals()
        self.problem: str | None = "the model is loading"
        """Reason why the model is not ready. None: it is."""
        self._config = config
        self._observe = observe
        self._observe_latents = observe_latents
        self._tasks: list[asyncio.Task[None]] = []
        self._num_lanes = min(
            getattr(session, "num_lanes", 1) for session in model.sessions.values()
        )
        self._compute = ThreadPoolExecutor(self._num_lanes, "faceae-model")
        self._helpers = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "faceae-request")
        self._batchers: dict[Kind, Batcher] = {}

    async def start(self) -> None:
        """Start the queues."""
        lanes = Lanes(self._compute, self._num_lanes)
        most = self._config.max_batch
        for kind, session in self.model.sessions.items():
            self._batchers[kind] = Batcher(
                session.run,
                lanes,
                self.arrivals,
                # More than a micro-batch gains nothing, and all faces would wait for the last.
                max_batch=min(most, getattr(session, "micro_batch", most)),
                max_delay_s=self._config.max_delay_ms / 1000,
                compute_beside=getattr(session, "run_on_one_thread", None),
                observe=partial(self._observe, kind),
            )
        self._tasks = [asyncio.create_task(each.run()) for each in self._batchers.values()]

    def start_warm_up(self) -> None:
        """Begin to run the model once, in the background."""
        self._tasks.append(asyncio.create_task(self.warm_up()))

    async def warm_up(self) -> None:
        """Run the model once. `problem` says whether it has run."""
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._compute, self.model.warm_up)
        except Exception as error:  # whatever an engine raises
            _log.exception("the model failed in its first run")
            self.problem = f"the model failed in its first run: {type(error).__name__}"
        else:
            self.problem = None

    async def stop(self) -> None:
        """Stop the queues and threads."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._compute.shutdown(wait=False, cancel_futures=True)
        self._helpers.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function that reads or writes pictures in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._helpers, partial(function, *arguments))

    def count_waiting(self, kind: Kind) -> int:
        """Return the rows that wait for a part of the model."""
        batcher = self._batchers.get(kind)
        return 0 if batcher is None else batcher.num_waiting

    def is_long(self, request: TaskRequest) -> bool:
        """Return whether a request's faces are to be streamed."""
        count: int = request.values.get("count", 0)
        return request.task.gives == "faces" and count > self._config.max_batch

    async def make_latents(self, request: TaskRequest) -> NDArray[np.float32]:
        """Return all latents of a request, N x Z."""
        if request.task.name != "sample":
            return await self.encode(request)
        assert request.noise is not None
        sampler = self._batchers["sampler"]
        return await sampler.submit(request.noise, _truncation(request.values))

    async def encode(self, request: TaskRequest) -> NDArray[np.float32]:
        """Return the latents of a request's faces, N x Z."""
        assert request.faces is not None
        latents: NDArray[np.float32] = await self._batchers["encoder"].submit(request.faces)
        self._observe_latents(latents)
        return latents

    def prepare(self, request: TaskRequest) -> TaskRequest:
        """Return a request with all that its first batch needs.

        Raises:
            Problem: a generation leads beyond the last face.
        """
        values = request.values
        if request.task.takes is not None:
            return request
        if values["start"] + values["count"] > _LIMIT:
            raise Problem(422, "`start` plus `count` must be at most 2^63")
        if self.is_long(request):
            return request
        return replace(request, noise=self._draw(values, values["start"], values["count"]))

    async def make_faces(self, request: TaskRequest) -> Faces:
        """Return all faces of a request."""
        name = request.task.name
        if name == "generate":
            return await self._generate(request)
        if name == "morph":
            return await self._morph(request)
        if name == "decode":
            assert request.latents is not None
            return await self._batchers["decoder"].submit(request.latents)
        if name == "edit":
            return await self._edit(request)
        assert request.faces is not None
        if "autoencoder" in self._batchers:
            return await self._batchers["autoencoder"].submit(request.faces)
        return await self._batchers["decoder"].submit(await self.encode(request))

    async def stream_faces(self, request: TaskRequest) -> AsyncIterator[Faces]:
        """Yield the faces of a long generation in batches.

        The model computes the same micro-batches as `faceae generate`, so the bytes are equal.
        Other requests get their turn between the batches.
        """
        values = request.values
        step = CPU_MICRO_BATCH
        numbers = range(values["start"], values["start"] + values["count"])
        for first in range(numbers.start // step * step, numbers.stop, step):
            noise = await self.in_thread(self._draw, values, first, step)
            faces = await self._batchers["generator"].submit(
                noise, _truncation(values), is_alone=True
            )
            wanted = slice(max(numbers.start - first, 0), min(numbers.stop - first, step))
            yield faces[wanted]

    async def _generate(self, request: TaskRequest) -> Faces:
        if request.noise is None:
            return np.concatenate([faces async for faces in self.stream_faces(request)])
        return await self._batchers["generator"].submit(request.noise, _truncation(request.values))

    async def _morph(self, request: TaskRequest) -> Faces:
        frames = request.values["frames"]
        assert request.faces is not None
        if "morph" in self._batchers:
            steps = np.array(frames, np.int64)
            return await self._batchers["morph"].submit(request.faces, steps, is_alone=True)
        ends = await self.encode(request)
        return await self._batchers["decoder"].submit(interpolate(ends, frames))

    async def _edit(self, request: TaskRequest) -> Faces:
        assert request.faces is not None
        assert request.change is not None
        latents = await self.encode(request)
        decoder = self._batchers["decoder"]
        edited = await decoder.submit(latents + request.change)
        if not request.values["residual"]:
            return edited
        reconstructed = await decoder.submit(latents)
        return add_residual(to_pixels(edited), request.faces, to_pixels(reconstructed))

    def _draw(self, values: dict[str, Any], start: int, count: int) -> NDArray[np.float32]:
        return latent_noise(values["seed"], start, count, self.model.latent_size)


def _truncation(values: dict[str, Any]) -> NDArray[np.float32]:
    return np.array(values["truncation"], np.float32)
