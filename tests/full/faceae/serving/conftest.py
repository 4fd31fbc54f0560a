"""A server in a process of its own, and what it holds: descriptors, threads, memory."""

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import faceae_shards
from faceae.cli import run

START_S = 120


class Server:
    """`faceae serve` in a process of its own."""

    def __init__(self, model: Path, folder: Path, *options: str, **environment: str) -> None:
        self.access_log, self.error_log = folder / "access.jsonl", folder / "errors.txt"
        command = [sys.executable, "-m", "faceae", "serve", str(model), "--port", "0"]
        with self.access_log.open("wb") as access, self.error_log.open("wb") as errors:
            self.process = psutil.Popen(
                [*command, "--device", "cpu", *options],
                stdout=access,
                stderr=errors,
                env={**os.environ, **environment},
            )
        self.port = self._wait_until_ready()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the reply to a request on a connection of its own; JSON unless it is bytes."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("content_type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method or ("GET" if body is None else "POST"), path, body, names)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply, content

    def generate(self) -> int:
        """Return the status of a small good request."""
        return self.ask("/invocations", {"count": 1}, accept="application/x-npy")[0].status

    def held(self) -> tuple[int, int]:
        """Return the numbers of descriptors and threads."""
        return self.process.num_fds(), self.process.num_threads()

    def memory_mib(self) -> float:
        return float(self.process.memory_info().rss) / 2**20

    def statuses(self) -> list[int]:
        """Return the statuses in the access log."""
        return [json.loads(line)["status"] for line in self.access_log.read_text().splitlines()]

    def stop(self) -> int:
        """Ask the server to stop, and return its exit code."""
        if self.process.is_running():
            self.process.send_signal(signal.SIGTERM)
        code: int = self.process.wait(40)
        return code

    def _wait_until_ready(self) -> int:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            _, found, port = self.error_log.read_text().partition("http://127.0.0.1:")
            if found and port.endswith("\n"):
                self.port = int(port.split()[0])
                if self.ask("/ping")[0].status == 200:
                    return self.port
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.error_log.read_text())


Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def served_run(
    dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny run on 32x32 pictures, with its latents fitted."""
    path = tmp_path_factory.mktemp("served") / "run"
    options = "--epochs 1 --batch-size 8 --latent-size 16 --width 8 --device cpu"
    loader = ["--loader", "webdataset"]
    assert run(["train", str(dataset_npy.path), "--run", str(path), *options.split(), *loader]) == 0
    assert run(["fit", str(path), str(dataset_npy.path), *loader]) == 0
    return path


@pytest.fixture(scope="session")
def serve(served_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers, which must end in good order."""
    started: list[Server] = []

    def start(*options: str, **environment: str) -> Server:
        folder = tmp_path_factory.mktemp("server")
        started.append(Server(served_run, folder, *options, **environment))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Server]:
    """A server that the tests of a module attack. It must survive, without a failure of its own."""
    server = serve()
    yield server
    assert server.generate() == 200
    assert {status for status in server.statuses() if status >= 500} <= {503}  # 503: it starts
    assert server.stop() == 0
    assert "Traceback" not in server.error_log.read_text()
