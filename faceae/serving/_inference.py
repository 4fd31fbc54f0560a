"""The inference endpoints: from a request to its reply, with limits on all that it takes."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from faceae_shards import count_of

from . import _v2
from ._accept import ReplyFormat, choose_format
from ._bodies import MULTIPART, NPY, BodyReader, FormPart, split_media_type
from ._collecting import CONSENT_HEADER, read_consent
from ._config import ServeConfig
from ._engine import Engine
from ._inputs import Inputs
from ._metrics import Metrics
from ._middleware import record_of
from ._problem import Problem
from ._receiving import CLOSE, BodyReceiver
from ._replies import Faces, check_pictured, encode_faces, encode_latents, stream_faces
from ._tasks import Task, TaskRequest

ATTRIBUTES_HEADER = "x-amzn-sagemaker-custom-attributes"
"""Header of SageMaker that may hold the task and its parameters, as `task=morph,frames=32`."""

_ENTRY = re.compile(r"(?:\{[^}]*\}?|[^,;{])+")
_MAX_RETRY_S = 60
_MAX_INLINE_BYTES = 256
"""Bodies up to this size hold no picture worth a thread."""
_MAX_INLINE_FACES = 2**18
"""Bytes of faces that are copied into a .npy file without a thread."""


class Inference:
    """Serves inference requests."""

    def __init__(
        self, engine: Engine, config: ServeConfig, metrics: Metrics, inputs: Inputs
    ) -> None:
        self._engine = engine
        self._config = config
        self._metrics = metrics
        self._inputs = inputs
        self._receiver = BodyReceiver(config=config, metrics=metrics)
        self._reader = BodyReader(model=engine.model, max_pixels=config.max_pixels)
        self._num_running = 0
        self._mean_s = 1.0
        """Running average of the time that a request takes."""

    async def invoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request to /invocations."""
        await self._serve(scope, receive, send, self._answer)

    async def infer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of KServe's protocol."""
        await self._serve(scope, receive, send, self._answer_v2)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, answer: Any) -> None:
        with self._admit():
            try:
                response = await self._answer_in_time(answer, scope, receive)
                await response(scope, receive, self._limit_time(send))
            except ClientDisconnect:
                return  # nobody is left to answer

    async def _answer_in_time(self, answer: Any, scope: Scope, receive: Receive) -> Response:
        seconds = self._config.timeout_s
        try:
            async with asyncio.timeout(seconds):
                response: Response = await answer(scope, receive)
                return response
        except TimeoutError:
            self._metrics.rejected.labels("deadline").inc()
            raise Problem(504, f"no reply within {seconds:g} s; try again later") from None

    def _limit_time(self, send: Send) -> Send:
        """Return `send` for a client that may stop reading."""

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)  # it is only kept until the body follows
                return
            async with asyncio.timeout(self._config.timeout_s):
                await send(message)

        return send_in_time

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        headers = record_of(scope).headers
        with ExitStack() as coming:
            coming.enter_context(self._engine.arrivals.expect())
            task_request, media_type = await self._read(scope, receive)
            form = choose_format(headers.get("accept", ""), task_request, media_type)
            coming.pop_all().close()
            if self._engine.is_long(task_request):
                check_pictured(task_request.values["count"], form)
                if not form.media_type.startswith("image/"):
                    return await self._start_stream(task_request, form)
            result = await self._compute(task_request)
            if task_request.task.gives == "latents":
                content = await self._encode(encode_latents, result, form, task_request.facts)
            else:
                faces = result
                is_large = form.media_type != NPY or faces.nbytes > _MAX_INLINE_FACES
                content = await self._in_thread_if(
                    is_large, "reply", encode_faces, faces, form, task_request.facts
                )
        return Response(content, media_type=form.media_type)

    async def _answer_v2(self, scope: Scope, receive: Receive) -> Response:
        task = _v2.find_task(self._engine.model, scope["path_params"]["model"])
        record_of(scope).task = task.name
        with ExitStack() as coming:
            coming.enter_context(self._engine.arrivals.expect())
            data = await self._receiver.read(scope, receive)
            task_request, request_id = await self._in_thread_if(
                len(data) > _MAX_INLINE_BYTES, "parse", self._read_v2, task, data
            )
            coming.pop_all().close()
            self._note(scope, task_request)
            if self._engine.is_long(task_request):
                most = self._config.max_batch
                raise Problem(422, f"`count` must be at most {most} here; /invocations streams")
            result = await self._compute(task_request)
            content = await self._encode(_v2.write_reply, task, request_id, result)
        return JSONResponse(content)

    async def _compute(self, request: TaskRequest) -> Faces:
        with self._metrics.tracing.span("model"):
            if request.task.gives == "latents":
                return await self._engine.make_latents(request)
            return await self._engine.make_faces(request)

    async def _start_stream(self, request: TaskRequest, form: ReplyFormat) -> Response:
        """Draw the first batch, so that an error still has its status; then stream."""
        batches = self._engine.stream_faces(request)
        first = await anext(batches)
        pieces = stream_faces(
            _prepend(first, batches),
            request.values["count"],
            self._engine.model.image_size,
            form,
            request.facts,
            self._engine.in_thread,
        )
        return StreamingResponse(pieces, media_type=form.media_type)

    @contextmanager
    def _admit(self) -> Iterator[None]:
        """Hold one of the places for requests.

        Raises:
            Problem: the model is not ready, or all places are taken.
        """
        if self._engine.problem is not None:
            self._metrics.rejected.labels("not_ready").inc()
            raise Problem(503, self._engine.problem, headers={"Retry-After": "1", **CLOSE})
        if self._num_running >= self._config.max_requests:
            self._metrics.rejected.labels("busy").inc()
            wait = str(min(max(math.ceil(self._mean_s), 1), _MAX_RETRY_S))
            detail = f"busy with {count_of(self._num_running, 'request')}; try again in {wait} s"
            raise Problem(429, detail, headers={"Retry-After": wait, **CLOSE})
        self._num_running += 1
        self._metrics.in_progress.set(self._num_running)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._num_running -= 1
            self._metrics.in_progress.set(self._num_running)
            self._mean_s += 0.1 * (time.perf_counter() - began - self._mean_s)

    async def _read(self, scope: Scope, receive: Receive) -> tuple[TaskRequest, str]:
        data = await self._receiver.read(scope, receive)
        media_type = split_media_type(record_of(scope).headers.get("content-type", ""))
        options = _read_options(scope)
        if media_type == MULTIPART:
            parts = await self._receiver.read_form(scope, data)
            task_request = await self._in_thread_if(True, "parse", self._read_parts, parts, options)
        else:
            task_request = await self._in_thread_if(
                len(data) > _MAX_INLINE_BYTES, "parse", self._read_data, media_type, data, options
            )
        self._note(scope, task_request)
        return task_request, media_type

    def _note(self, scope: Scope, task_request: TaskRequest) -> None:
        """Record a request's task, and keep its images if they are collected."""
        record = record_of(scope)
        record.task = task_request.task.name
        has_consent = read_consent(record.headers.get(CONSENT_HEADER))
        self._inputs.collect(task_request, has_consent, record.request_id)

    def _read_data(self, media_type: str, data: bytes, options: Mapping[str, str]) -> TaskRequest:
        return self._engine.prepare(self._reader.read(media_type, data, options))

    def _read_parts(self, parts: list[FormPart], options: Mapping[str, str]) -> TaskRequest:
        draft = self._reader.read_form(parts)
        return self._engine.prepare(self._reader.finish(draft, options))

    def _read_v2(self, task: Task, data: bytes) -> tuple[TaskRequest, str | None]:
        request, request_id = _v2.read_request(self._reader, task, data)
        return self._engine.prepare(request), request_id

    async def _encode(self, encode: Any, *arguments: Any) -> Any:
        return await self._in_thread_if(True, "reply", encode, *arguments)

    async def _in_thread_if(self, is_long: bool, stage: str, function: Any, *arguments: Any) -> Any:
        """Run a function, in a thread if it can take long; a change of threads costs time too."""
        with self._metrics.stage(stage):
            if is_long:
                return await self._engine.in_thread(function, *arguments)
            return function(*arguments)


def parse_attributes(text: str) -> dict[str, str]:
    """Return the task and parameters in SageMaker's header: `task=morph,frames=32`.

    An object in braces, such as `strengths={"Smiling": 2, "Young": -1}`, is one value.
    """
    options = {}
    for entry in _ENTRY.findall(text):
        name, separator, value = entry.partition("=")
        if separator:
            options[name.strip()] = value.strip()
    return options


def _read_options(scope: Scope) -> Mapping[str, str]:
    attributes = record_of(scope).headers.get(ATTRIBUTES_HEADER, "")
    if not attributes and not scope["query_string"]:
        return {}
    return {**parse_attributes(attributes), **QueryParams(scope["query_string"])}


async def _prepend(first: Faces, others: AsyncIterator[Faces]) -> AsyncIterator[Faces]:
    yield first
    async for faces in others:
        yield faces
