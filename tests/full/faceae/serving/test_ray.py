"""faceae.serving.ray:app on a local Ray cluster: two replicas, one of which is killed."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[4]


def ask(port: int, path: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture
def port(fitted_run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of the app with two replicas."""
    import ray
    from ray import serve

    paths = os.pathsep.join(map(str, (ROOT, ROOT / "shards", ROOT / "export")))
    for name, text in (
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("PYTHONPATH", paths),
        ("FACEAE_MODEL", str(fitted_run)),
        ("FACEAE_DEVICE", "cpu"),
        ("FACEAE_THREADS", "1"),
        # Ray starts its processes at niceness 15: on a busy machine they would hardly run.
        ("RAY_worker_niceness", "0"),
        # Ray's own limits are too short for a busy machine.
        ("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "120"),
        ("RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S", "120"),
    ):
        monkeypatch.setenv(name, text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="CRITICAL",
        object_store_memory=100 << 20,
    )
    from faceae.serving.ray import FaceServer

    monkeypatch.setattr("ray.serve._private.api.HTTP_PROXY_TIMEOUT", 300)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(FaceServer.options(num_replicas=2).bind(), name="faceae", route_prefix="/")
    yield port
    serve.shutdown()
    ray.shutdown()


def list_replicas() -> set[int]:
    """The processes of the replicas."""
    return {
        process.pid
        for process in psutil.process_iter()
        if "FaceServer" in _title(process) and "ray::" in _title(process)
    }


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:1])
    except psutil.Error:
        return ""


@pytest.mark.filterwarnings("ignore")
def test_a_killed_replica(port: int) -> None:
    status, content = ask(port, "/invocations?count=3&seed=1")
    assert status == 200, content
    faces = json.loads(content)["faces"]
    before = list_replicas()
    assert len(before) == 2
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    statuses = [ask(port, "/invocations?count=3&seed=1") for _ in range(20)]
    good = [content for status, content in statuses if status == 200]
    # The first requests may reach the replica that is gone.
    assert len(good) >= 15
    assert {tuple(json.loads(content)["faces"]) for content in good} == {tuple(faces)}
    end = time.monotonic() + 300
    while len(list_replicas() - {killed}) < 2:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert ask(port, "/invocations?count=1")[0] == 200
    assert ask(port, "/invocations?count=-1")[0] == 422
