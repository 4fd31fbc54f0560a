"""uvicorn with two workers: both answer, and one that is killed is replaced."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


def ask(port: int, path: str, method: str = "GET") -> bytes:
    """The reply; a connection of its own, so that either worker may answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read()


def draw(port: int, seconds: float = 300) -> list[str]:
    """Two faces, from a worker whose model has run; the other may not be as far."""
    end = time.monotonic() + seconds
    while True:
        try:
            return json.loads(ask(port, "/invocations?count=2&seed=1", "POST"))["faces"]
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > end:
                raise
            time.sleep(0.2)


def wait_until_ready(port: int, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            ask(port, "/ping")
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < end
            time.sleep(0.2)
        else:
            return


@pytest.fixture
def server(fitted_run: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "--workers", "2"]
    command += ["--port", str(port), "--no-access-log"]
    environment = {**os.environ, "FACEAE_MODEL": str(fitted_run), "FACEAE_DEVICE": "cpu"}
    with subprocess.Popen(
        [*command, "faceae.serving:create_app_from_environment"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until_ready(port)
            yield process, port
        finally:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()


def test_a_killed_worker(server: tuple["subprocess.Popen[bytes]", int]) -> None:
    process, port = server
    first = draw(port)
    before = psutil.Process(process.pid).children()
    workers = [each for each in before if "spawn_main" in " ".join(each.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    end = time.monotonic() + 300
    while True:
        now = {each.pid for each in psutil.Process(process.pid).children()}
        if len(now & {each.pid for each in workers}) == 1 and len(now) == len(before):
            break
        assert time.monotonic() < end
        time.sleep(0.2)
    wait_until_ready(port)
    assert draw(port) == first
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    entries = [json.loads(line) for line in out.splitlines() if b'"task": "generate"' in line]
    assert len(entries) == 2
