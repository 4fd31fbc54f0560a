"""What happens to every request: request id, access log, metrics, API key, unexpected errors."""

import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._metrics import Metrics
from ._problem import Problem
from ._tracing import finish_span

HEALTH_PATHS = frozenset(
    {"/ping", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
)
"""Paths that need no API key."""

_log = logging.getLogger("faceae.serving")
_access_log = logging.getLogger("faceae.serving.access")
_RECORD = "faceae.record"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OTHER = "other"
_SERVER_ERROR = 500
_GIVEN_UP = 499
_NOSNIFF = (b"x-content-type-options", b"nosniff")


@dataclass
class RequestRecord:
    """What the access log says about a request."""

    request_id: str
    headers: Mapping[str, str]
    """The request's headers, with names in lower case. Of several with one name, the first."""
    task: str | None = None
    status: int | None = None
    bytes_out: int = 0
    began: float = field(default_factory=time.perf_counter)


def record_of(scope: Scope) -> RequestRecord:
    """Return the record of a request."""
    record: RequestRecord = scope[_RECORD]
    return record


class Observed:
    """Outermost layer of the app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _read_headers(scope)
        given = headers.get("x-request-id", "")
        is_fit = _REQUEST_ID.fullmatch(given) is not None
        record = RequestRecord(given if is_fit else uuid.uuid4().hex, headers)
        scope[_RECORD] = record

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                added = ((b"x-request-id", record.request_id.encode()), _NOSNIFF)
                message = {**message, "headers": [*message["headers"], *added]}
            else:
                record.bytes_out += len(message.get("body", b""))
            await send(message)

        tracing = self._metrics.tracing
        with tracing.request_span(scope["method"], scope["path"], headers) as span:
            try:
                await self._app(scope, receive, send_observed)
            except Exception as error:  # a bug: the client learns nothing about it
                await self._answer_bug(error, record, scope, receive, send_observed)
            finally:
                self._finish(scope, record)
                finish_span(span, record.task, record.status or _GIVEN_UP, record.request_id)

    async def _answer_bug(
        self, error: Exception, record: RequestRecord, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._metrics.errors.inc()
        _log.error("request %s failed", record.request_id, exc_info=error)
        if record.status is None:
            problem = Problem(_SERVER_ERROR, "the server failed; its log has this request's id")
            await problem.respond(record.request_id)(scope, receive, send)
        else:
            raise ConnectionAbortedError("a reply broke off") from None  # closes the connection

    def _finish(self, scope: Scope, record: RequestRecord) -> None:
        seconds = time.perf_counter() - record.began
        status = record.status or _GIVEN_UP
        task = record.task or _OTHER
        self._metrics.observe_request(task, status, seconds)
        client = scope.get("client")
        length = record.headers.get("content-length", "")
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request_id": record.request_id,
            "client": client[0] if client else None,
            "method": scope["method"],
            "path": scope["path"],
            "task": record.task,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "bytes_in": int(length) if length.isdecimal() else None,
            "bytes_out": record.bytes_out,
        }
        _access_log.info(json.dumps(entry))


class KeyRequired:
    """Refuses requests without the API key, except those for some paths."""

    def __init__(
        self, app: ASGIApp, key: str, open_paths: frozenset[str], metrics: Metrics
    ) -> None:
        self._app = app
        self._key = key.strip().encode()  # a key from a file ends in a line break
        self._open_paths = open_paths
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that carries the key, as bearer token or X-API-Key."""
        if scope["type"] == "http" and not self._is_allowed(scope):
            self._metrics.rejected.labels("api_key").inc()
            problem = Problem(
                401,
                "send the API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
                headers={"WWW-Authenticate": "Bearer"},
            )
            await problem.respond(record_of(scope).request_id)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        if scope["path"] in self._open_paths:
            return True
        headers = record_of(scope).headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return hmac.compare_digest(given.strip().encode("latin-1"), self._key)


def _read_headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers
