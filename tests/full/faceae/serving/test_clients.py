"""Clients that a server must survive: slow, silent, gone, too large, broken, and many."""

import contextlib
import io
import json
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

Server = Any
HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
NUM_FACES = 5000  # in a streamed reply that takes some seconds
MANY = (
    b"POST /invocations?count=%d HTTP/1.1\r\nHost: a\r\nAccept: application/x-npy\r\n"
    b"Content-Length: 0\r\n\r\n"
) % NUM_FACES
NUM_IDLE = 1000
WAIT_S = 60
MIB = 2**20


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def nothing_leaks(server: Server) -> Any:
    """After a test the server holds the descriptors and threads that it held before, once warm."""
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: server.generate(), range(16))) == {200}
    wait_until(lambda: "faceae_requests_in_progress 0.0" in metrics(server))
    num_fds, num_threads = server.held()
    yield
    assert server.generate() == 200
    wait_until(lambda: server.held()[0] <= num_fds)
    assert server.held()[1] <= num_threads + 2  # the pool's threads start when they are needed
    assert "faceae_requests_in_progress 0.0" in metrics(server)


def metrics(server: Server) -> str:
    text: str = server.ask("/metrics")[1].decode()
    return text


def photograph() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.full((1, 32, 32, 3), 100, np.uint8))
    return stream.getvalue()


def send_and_read(server: Server, *parts: bytes) -> bytes:
    """Send bytes, and return all that comes back until the connection closes."""
    received = b""
    with server.connect() as client:
        try:
            for part in parts:
                client.sendall(part)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may close before all is sent
        try:
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionError:
            pass
    return received


def test_slow_clients_do_not_delay_others(server: Server) -> None:
    slow = [server.connect() for _ in range(100)]
    for client in slow[:50]:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: a\r\nX-A: ")
    for client in slow[50:]:
        client.sendall(HEAD % (b"application/json", 100) + b'{"count"')
    for _ in range(5):
        for client in slow:
            client.sendall(b" ")
        began = time.monotonic()
        assert server.generate() == 200
        assert time.monotonic() - began < 5
    for client in slow:
        client.close()


def test_an_upload_that_breaks_off(server: Server) -> None:
    for kind in (b"application/json", b"application/x-npy", b"image/jpeg"):
        for _ in range(10):
            with server.connect() as client:
                client.sendall(HEAD % (kind, MIB) + bytes(100_000))
    for _ in range(10):
        with server.connect() as client:  # a reset, as of a client that was killed
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(HEAD % (b"application/x-npy", MIB) + bytes(100_000))
    assert server.generate() == 200


def test_a_reply_that_nobody_reads(server: Server) -> None:
    for _ in range(5):
        with server.connect() as client:
            client.sendall(
                b"POST /invocations?count=20000 HTTP/1.1\r\nHost: a\r\n"
                b"Accept: application/x-npy\r\nContent-Length: 0\r\n\r\n"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert server.generate() == 200


def test_a_thousand_idle_connections(server: Server) -> None:
    before = server.memory_mib()
    idle = [server.connect() for _ in range(NUM_IDLE)]
    wait_until(lambda: server.held()[0] >= NUM_IDLE)
    assert server.generate() == 200
    assert server.memory_mib() - before < 100
    for client in idle:
        client.close()


def test_bodies_that_are_too_large(server: Server) -> None:
    before = server.memory_mib()
    block = bytes(MIB)
    for parts in (
        [HEAD % (b"application/x-npy", 8 * MIB), *[block] * 8],
        [HEAD % (b"application/x-npy", 2**62), *[block] * 40],
        [
            b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            *[b"100000\r\n" + block + b"\r\n"] * 8,
            b"0\r\n\r\n",
        ],
    ):
        reply = send_and_read(server, *parts)
        # Beyond four times the limit the client still sends when the server closes.
        assert reply == b"" or reply.startswith(b"HTTP/1.1 413 "), reply[:200]
    assert server.memory_mib() - before < 60


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /ping\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\n" * 1000,
    ],
)
def test_what_is_not_http(server: Server, request_bytes: bytes) -> None:
    reply = send_and_read(server, request_bytes)
    if reply:
        head, _, body = reply.partition(b"\r\n\r\n")
        assert head[9:12] in (b"400", b"404"), reply[:200]
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == int(head[9:12])


def test_random_bytes_as_images(server: Server) -> None:
    rng = np.random.default_rng(0)
    starts = (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\x93NUMPY\1\0")
    kinds = ("image/jpeg", "image/png", "image/webp", "application/x-npy", "application/json")
    for number in range(100):
        body = starts[number % 5] + rng.bytes(int(rng.integers(0, 3000)))
        reply, content = server.ask("/invocations", body, content_type=kinds[number // 5 % 5])
        assert 400 <= reply.status < 500
        assert reply.headers["content-type"] == "application/problem+json"
        problem = json.loads(content)
        assert (problem["status"], "\n" in problem["detail"]) == (reply.status, False)


def test_memory_stays_flat(server: Server) -> None:
    def attack(number: int) -> int:
        bad = (b"\xff\xd8\xff" + bytes(200_000), "image/jpeg")
        body, kind = bad if number % 2 else (photograph(), "application/x-npy")
        status: int = server.ask("/invocations", body, content_type=kind)[0].status
        return status

    with ThreadPoolExecutor(8) as pool:
        set(pool.map(attack, range(100)))
        before = server.memory_mib()
        statuses = list(pool.map(attack, range(200)))
    assert (set(statuses[::2]), set(statuses[1::2])) == ({200}, {422})
    assert server.memory_mib() - before < 30


def test_broken_requests_beside_good_ones(server: Server) -> None:
    def ask(number: int) -> int:
        if number % 3 == 0:
            bad = {"images": ["AAAA"]}
            status: int = server.ask("/invocations", bad)[0].status
            return status
        if number % 3 == 1:
            with server.connect() as client:
                client.sendall(HEAD % (b"application/json", 50) + b"{")
            return 0
        return int(server.generate())

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(ask, range(90)))
    assert set(statuses[::3]) == {422}
    assert set(statuses[2::3]) == {200}


def test_a_deadline_frees_its_place(serve: Any) -> None:
    server = serve("--timeout-s", "0.2", "--max-requests", "1", "--max-batch", "100000")
    reply, content = server.ask("/invocations", {"count": 90_000}, accept="application/x-npy")
    assert (reply.status, json.loads(content)["status"]) == (504, 504)
    wait_until(lambda: server.generate() == 200)


def test_sigterm_lets_a_request_finish(serve: Any) -> None:
    server = serve()
    with server.connect() as client:
        client.sendall(MANY)
        received = client.recv(100)
        server.process.send_signal(signal.SIGTERM)
        while chunk := client.recv(65536):
            received += chunk
    assert server.process.wait(30) == 0
    assert len(received) > NUM_FACES * 32 * 32 * 3
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_a_kill_in_mid_request_frees_the_port(serve: Any) -> None:
    server = serve()
    with server.connect() as client:
        client.sendall(MANY)
        received = client.recv(100)
        server.process.kill()
        server.process.wait(10)
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(65536):
                received += chunk
    assert len(received) < NUM_FACES * 32 * 32 * 3
    again = serve("--port", str(server.port))
    assert (again.port, again.generate()) == (server.port, 200)
