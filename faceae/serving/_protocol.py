"""HTTP/1.1 connections: limits on their number and on slow heads, errors as problem details."""

import asyncio
import uuid
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._problem import Problem

HEAD_S = 20.0
"""Time for a new connection's first request, and for a request's head once it has begun."""
MAX_CONNECTIONS = 2048
"""Requests of further connections get status 503."""

_CLOSE = {"Connection": "close"}


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol, which waits for a head without end and describes errors as plain text."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _refuse
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a head is complete."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

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
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            problem = Problem(400, "the connection carries no valid HTTP/1.1", headers=_CLOSE)
            reply = problem.respond(uuid.uuid4().hex)
            head = h11.Response(status_code=400, headers=reply.raw_headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

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
