"""Clients that open many connections, send heads slowly or not at all, or no HTTP."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from faceae.serving import _protocol
from faceae.serving._protocol import GuardedProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer with two letters."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Port of a server that waits 0.3 s for a head."""
    monkeypatch.setattr(_protocol, "HEAD_S", 0.3)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(answer, http=GuardedProtocol, lifespan="off", log_config=None, ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def ask(client: socket.socket) -> bytes:
    """Send a request and return the reply's body."""
    client.sendall(REQUEST)
    reply = http.client.HTTPResponse(client)
    reply.begin()
    return reply.read()


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: "])
def test_a_head_that_does_not_end(port: int, start: bytes) -> None:
    with connect(port) as client:
        client.sendall(start)
        assert client.recv(100) == b""


def test_a_second_head_that_does_not_end(port: int) -> None:
    with connect(port) as client:
        assert ask(client) == b"ok"
        client.sendall(b"GET /")
        assert client.recv(100) == b""


def test_an_idle_connection_stays(port: int) -> None:
    with connect(port) as client:
        assert ask(client) == b"ok"
        time.sleep(0.6)
        assert ask(client) == b"ok"


def read_problem(client: socket.socket) -> tuple[int, str]:
    """Return the status of a reply and the one in its body, and the type."""
    reply = http.client.HTTPResponse(client)
    reply.begin()
    assert json.loads(reply.read())["status"] == reply.status
    return reply.status, reply.headers["content-type"]


def test_what_is_not_http(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"hello\r\n\r\n")
        assert read_problem(client) == (400, "application/problem+json")
        assert client.recv(100) == b""


def test_garbage_after_the_reply_has_begun(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"zz\r\n")
        while client.recv(1000):
            pass
    with connect(port) as client:
        assert ask(client) == b"ok"


def test_too_many_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_protocol, "MAX_CONNECTIONS", 1)
    with connect(port) as first, connect(port) as second:
        assert ask(first) == b"ok"
        second.sendall(REQUEST)
        assert read_problem(second) == (503, "application/problem+json")
        assert second.recv(100) == b""
        assert ask(first) == b"ok"


@pytest.fixture
def patient(port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Port of a server that waits long for a head."""
    monkeypatch.setattr(_protocol, "HEAD_S", 60.0)
    return port


@pytest.mark.parametrize("chunk", [4096, 10**6])
@pytest.mark.parametrize("head", [b"a: " + b"x" * 20_000, b"a: b\r\n" * 4000])
def test_a_head_that_is_too_large(patient: int, head: bytes, chunk: int) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + head
    with connect(patient) as client:
        for first in range(0, len(data), chunk):
            with suppress(OSError):  # it may have closed the connection already
                client.sendall(data[first : first + chunk])
            time.sleep(0.01)
        with suppress(ConnectionResetError):  # it may close before it has read all
            assert read_problem(client)[0] == 400
    with connect(patient) as client:
        assert ask(client) == b"ok"


def test_a_large_head_in_many_parts(patient: int) -> None:
    with connect(patient) as client:
        for part in (b"GET / HTTP/1.1\r\nHost: a\r\n", *[b"a: " + b"x" * 1000 + b"\r\n"] * 12):
            client.sendall(part)
        client.sendall(b"\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "first",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + bytes(40000),
        REQUEST * 1000,
    ],
    ids=["body", "heads"],
)
def test_a_head_that_begins_after_other_requests(patient: int, first: bytes) -> None:
    """What was read before it is not counted as a part of it."""
    num_replies = first.count(b"HTTP/1.1") + 1
    with connect(patient) as client:
        client.sendall(first + REQUEST[:5])
        time.sleep(0.1)
        client.sendall(REQUEST[5:])
        replies = b""
        while replies.count(b"\r\n\r\nok") < num_replies and (part := client.recv(65536)):
            replies += part
    assert replies.count(b"HTTP/1.1 200 ") == num_replies


def test_no_host(patient: int) -> None:
    with connect(patient) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_problem(client) == (400, "application/problem+json")


def test_an_offer_to_upgrade(patient: int) -> None:
    """Java's client offers HTTP/2 with its first request, and its body follows."""
    with connect(patient) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 2\r\n\r\nhi"
        )
        reply = http.client.HTTPResponse(client)
        reply.begin()
        assert (reply.status, reply.read()) == (200, b"ok")
        assert reply.headers["connection"] == "close"
        assert client.recv(100) == b""
