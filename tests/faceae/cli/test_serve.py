"""`faceae serve` as a process: it starts, answers, drains on SIGTERM and survives bad clients."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceae.cli import run


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = self.connect()
        connection.request(method, path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        found = reply.status, reply.read()
        connection.close()
        return found


@pytest.fixture(scope="module")
def server(fitted_run: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "faceae", "serve", str(fitted_run), "--port", "0"]
    options = ["--device", "cpu", "--max-body-mib", "1"]
    environment = {name: text for name, text in os.environ.items() if name != "FACEAE_API_KEY"}
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert "http://127.0.0.1:" in line, line + process.stderr.read()
            assert process.stderr.readline().startswith("photographs framed: ")
            server = Server(process, int(line.rsplit(":", 1)[1]))
            while server.ask("GET", "/ping")[0] == 503:
                time.sleep(0.05)
            yield server
        finally:
            process.kill()


def test_bad_clients_leave_the_server_as_it_was(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    aborted = socket.create_connection(("127.0.0.1", server.port))
    aborted.sendall(b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
    aborted.close()
    garbage = socket.create_connection(("127.0.0.1", server.port))
    garbage.sendall(os.urandom(300) + b"\r\n\r\n")
    assert b"400" in garbage.recv(1000)
    garbage.close()
    stopped = server.connect()
    stopped.request("POST", "/invocations?count=90000")
    stopped.getresponse().read(10)
    stopped.close()
    status, content = server.ask("POST", "/invocations", bytes(2 * 2**20))
    assert (status, json.loads(content)["status"]) == (413, 413)
    assert server.ask("POST", "/invocations", b'{"count": 2}')[0] == 200
    for connection in idle:
        connection.close()


def test_boto3_invokes_the_endpoint(server: Server) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="eu-central-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    tensor = io.BytesIO()
    np.save(tensor, np.zeros((2, 3, 32, 32), np.float32))
    npy = "application/x-npy"
    reply = client.invoke_endpoint(
        EndpointName="faces",
        ContentType=npy,
        Accept=npy,
        Body=tensor.getvalue(),
        CustomAttributes="frames=4",
    )
    frames = np.load(io.BytesIO(reply["Body"].read()))
    client.close()
    assert (frames.shape, frames.dtype) == ((4, 3, 32, 32), np.float32)


def test_sigterm_ends_after_the_requests_in_progress(server: Server) -> None:
    # The last test of this process.
    connection = server.connect()
    body = json.dumps({"count": 3000})
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    assert reply.status == 200
    first = reply.read(1000)
    server.process.send_signal(signal.SIGTERM)
    faces = json.loads(first + reply.read())["faces"]
    connection.close()
    assert len(faces) == 3000
    out, err = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    assert "Traceback" not in err
    entry = [json.loads(line) for line in out.splitlines()][-1]
    assert (entry["task"], entry["status"]) == ("generate", 200)
    with pytest.raises(ConnectionError):
        server.ask("GET", "/ping")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "nowhere"),
        (["RUN", "--page", "nowhere"], "--page nowhere"),
        (["RUN", "--host", "203.0.113.1"], "203.0.113.1"),
    ],
)
def test_what_cannot_be_served(
    fitted_run: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(fitted_run) if each == "RUN" else each for each in argv]
    assert run(["serve", *argv, "--device", "cpu"]) == 1
    assert message in capsys.readouterr().err


def test_an_empty_key(
    fitted_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEAE_API_KEY", "")
    assert run(["serve", str(fitted_run)]) == 1
    assert "API key" in capsys.readouterr().err


def test_the_port_is_taken(fitted_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", str(fitted_run), "--port", port]) == 1
    assert port in capsys.readouterr().err
