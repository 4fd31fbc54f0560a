"""Receives the bodies of requests, with limits on their size and time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from ._bodies import FormPart, split_media_type
from ._config import ServeConfig
from ._metrics import Metrics
from ._middleware import record_of
from ._problem import Problem
from ._tasks import MAX_IMAGES

CLOSE = {"Connection": "close"}
"""Header of a reply after which the server closes the connection."""
_DISCARD_FACTOR = 4
"""Of a body that is too large, so many times the limit is received and dropped. The client can then
read the reply: it would see a broken connection if the server closed it at once."""


@dataclass(frozen=True, kw_only=True)
class BodyReceiver:
    """Receives bodies; refuses those that are too large or too slow."""

    config: ServeConfig
    metrics: Metrics

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body.

        Raises:
            Problem: it is too large, or too slow.
        """
        with self.metrics.stage("read"):
            try:
                async with asyncio.timeout(self.config.body_timeout_s):
                    return await self._read_limited(record_of(scope).headers, receive)
            except TimeoutError:
                self.metrics.rejected.labels("slow_body").inc()
                seconds = self.config.body_timeout_s
                raise Problem(
                    408, f"the body did not arrive within {seconds:g} s", headers=CLOSE
                ) from None

    async def _read_limited(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        limit = self.config.max_body_bytes
        length = headers.get("content-length", "0")
        announced = int(length) if length.isdecimal() else 0
        if announced > limit and "expect" in headers:
            raise self._refuse_body()
        chunks: list[bytes] = []
        total = 0
        is_whole = False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, is_whole = message.get("body", b""), not message.get("more_body", False)
            total += len(chunk)
            if max(total, announced) > limit:
                chunks.clear()
                if total > _DISCARD_FACTOR * limit:
                    break
            else:
                chunks.append(chunk)
        if max(total, announced) > limit:
            raise self._refuse_body()
        return b"".join(chunks)

    def _refuse_body(self) -> Problem:
        self.metrics.rejected.labels("body_size").inc()
        limit = self.config.max_body_bytes
        return Problem(413, f"the body must have at most {limit:,} bytes", headers=CLOSE)

    async def read_form(self, scope: Scope, data: bytes) -> list[FormPart]:
        """Return the fields and files of a form that was read."""

        async def receive() -> Message:
            return {"type": "http.request", "body": data, "more_body": False}

        limits = {"max_files": MAX_IMAGES, "max_fields": MAX_IMAGES}
        size = self.config.max_body_bytes
        async with Request(scope, receive).form(**limits, max_part_size=size) as form:
            return [
                FormPart(
                    name=name,
                    content=await value.read(),
                    media_type=split_media_type(value.content_type or ""),
                )
                if isinstance(value, UploadFile)
                else FormPart(name=name, content=value)
                for name, value in form.multi_items()
            ]
