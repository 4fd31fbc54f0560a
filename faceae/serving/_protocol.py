"""HTTP/1.1 connections: limits on their number and on their heads, errors as problem details."""

import asyncio
import uuid
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ._problem import Problem

HEAD_S = 20.0
"""Time for a new connection's first request, and for a request's head once it has begun."""
MAX_HEAD_BYTES = 16 * 1024
"""Size of a request's head at most."""
MAX_CONNECTIONS = 2048
"""Requests of further connections get status 503."""

_CLOSE = {"Connection": "close"}
_HEAD_END = b"\r\n\r\n"


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which waits for a head without end and describes errors as plain text."""

    _timer: asyncio.TimerHandle | None = None
    _in_head = False
    _body_bytes = 0
    _in_body = False
    _head_bytes = 0
    _waiting_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _refuse
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a head is complete."""
        self._body_bytes = 0
        super().data_received(data)
        if self._in_head:  # a header without end reaches no callback
            end = data.rfind(_HEAD_END)  # of an earlier request's head, if there is one
            earlier = 0 if end < 0 else end + len(_HEAD_END)
            self._waiting_bytes += len(data) - max(earlier, self._body_bytes)
            if self._waiting_bytes > MAX_HEAD_BYTES:
                self.send_400_response("the head is too large")
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        """Begin to count the head's bytes."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._waiting_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count a part of the path."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Begin the reply."""
        if self.parser.get_http_version() == "1.1" and not any(
            name == b"host" for name, _ in self.headers
        ):
            raise ValueError("HTTP/1.1 demands the header Host")
        super().on_headers_complete()
        self._in_head, self._in_body = False, True

    def on_body(self, body: bytes) -> None:
        """Count a part of the body."""
        super().on_body(body)
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note the end of a body."""
        super().on_message_complete()
        self._in_body = False

    def on_response_complete(self) -> None:
        """Leave an idle connection to uvicorn's own limit."""
        self._stop_timer()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; a reply that has begun breaks off."""
        cycle = self.cycle
        has_begun = (
            cycle is not None
            and cycle.response_started
            and (self._in_body or not cycle.response_complete)
        )
        if not has_begun and not self.transport.is_closing():
            problem = Problem(400, "the connection carries no valid HTTP/1.1", headers=_CLOSE)
            reply = problem.respond(uuid.uuid4().hex)
            head = [name + b": " + value + b"\r\n" for name, value in reply.raw_headers]
            self.transport.write(b"".join([STATUS_LINE[400], *head, b"\r\n", bytes(reply.body)]))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer over HTTP/1.1, and close: the parser reads no second request after an offer."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _count(self, num_bytes: int) -> None:
        self._head_bytes += num_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")  # the parser turns it into status 400

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Retry-After": "1", **_CLOSE}
    problem = Problem(503, f"more than {MAX_CONNECTIONS} connections are open", headers=headers)
    await problem.respond(uuid.uuid4().hex)(scope, receive, send)
