"""Packing into S3 and training from there, as a user does it."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch

from faceae.cli import run
from faceae.runs import read_run

Capture = pytest.CaptureFixture[str]

OPTIONS = ("--size", "32", "--samples-per-shard", "4", "--split", "0.5,0.25,0.25")
RETRYING = {"AWS_MAX_ATTEMPTS": "1"}


@pytest.fixture(scope="module")
def local(face_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sha256 of every file of a local pack."""
    out = tmp_path_factory.mktemp("local") / "out"
    assert run(["shard", str(face_folder), str(out), *OPTIONS, "--workers", "1"]) == 0
    return {
        file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in out.rglob("*")
        if file.is_file()
    }


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def client(s3: str) -> Any:
    return boto3.client("s3", endpoint_url=s3)


def list_keys(client: Any, bucket: str) -> list[str]:
    found = client.list_objects_v2(Bucket=bucket.removeprefix("s3://")).get("Contents", [])
    return [entry["Key"].removeprefix("faces/") for entry in found]


def hash_objects(client: Any, bucket: str) -> dict[str, str]:
    name = bucket.removeprefix("s3://")
    return {
        key: hashlib.sha256(
            client.get_object(Bucket=name, Key=f"faces/{key}")["Body"].read()
        ).hexdigest()
        for key in list_keys(client, bucket)
    }


def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start `faceae` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "faceae", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), **RETRYING, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code and the last line on stderr."""
    _, told = process.communicate(timeout=120)
    return process.returncode, told.strip().splitlines()[-1] if told.strip() else ""


def test_two_workers_write_what_a_local_pack_writes(
    face_folder: Path, bucket: str, client: Any, local: dict[str, str], capsys: Capture
) -> None:
    command = ["shard", str(face_folder), f"{bucket}/faces", *OPTIONS, "--workers", "2"]
    assert run(command) == 0
    assert f"{bucket}/faces is complete: 24 train" in capsys.readouterr().out
    assert hash_objects(client, bucket) == local
    assert run(command) == 0
    assert "was complete already" in capsys.readouterr().out
    assert run(["verify", f"{bucket}/faces", "--workers", "2"]) == 0


@pytest.mark.parametrize(("failure", "told"), [(500, "Internal Server Error"), (None, "onnection")])
def test_server_that_fails_in_the_middle(
    face_folder: Path,
    bucket: str,
    client: Any,
    local: dict[str, str],
    flaky: Any,
    tmp_path: Path,
    failure: int | None,
    told: str,
) -> None:
    flaky.puts_left, flaky.failure = 14, failure
    command = ("shard", str(face_folder), f"{bucket}/faces", *OPTIONS, "--workers", "2")
    code, line = finish(start(*command, AWS_ENDPOINT_URL=flaky.endpoint, TMPDIR=str(tmp_path)))
    assert code == 1
    assert line.startswith(f"faceae: error: {bucket}/faces/")
    assert told in line
    assert line.endswith("then run the same command again")
    assert not list(tmp_path.glob("faceae-*"))
    there = list_keys(client, bucket)
    assert sum(key.startswith(".progress/t") for key in there) >= 2
    assert "dataset.json" not in there
    code, line = finish(start(*command))
    assert code == 0, line
    assert hash_objects(client, bucket) == local


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_then_the_same_command_elsewhere(
    face_folder: Path,
    bucket: str,
    client: Any,
    local: dict[str, str],
    tmp_path: Path,
    sent: signal.Signals,
) -> None:
    command = ("shard", str(face_folder), f"{bucket}/faces", *OPTIONS, "--workers", "2")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = start(*command, TMPDIR=str(scratch))
    while sum(key.startswith(".progress/t") for key in list_keys(client, bucket)) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(sent)
    code, line = finish(process)
    if sent != signal.SIGKILL:
        word = "interrupted" if sent == signal.SIGINT else "terminated"
        assert (code, line) == (128 + sent, f"faceae: error: {word}")
        assert not list(scratch.glob("faceae-*"))
    assert "dataset.json" not in list_keys(client, bucket)
    code, line = finish(start(*command, TMPDIR=str(tmp_path)))
    assert code == 0, line
    assert hash_objects(client, bucket) == local


@pytest.fixture
def closed(s3: str) -> Iterator[None]:
    """The server asks for keys it knows."""

    def ask_for_keys(after: str) -> None:
        request = urllib.request.Request(
            f"{s3}/moto-api/reset-auth", after.encode(), {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request).close()

    ask_for_keys("0")
    yield
    ask_for_keys("inf")


@pytest.mark.parametrize("verb", ["shard", "info"])
def test_wrong_keys(face_folder: Path, bucket: str, closed: None, verb: str) -> None:
    arguments = (str(face_folder),) if verb == "shard" else ()
    code, line = finish(start(verb, *arguments, f"{bucket}/faces"))
    assert code == 1
    assert line.startswith(f"faceae: error: {bucket}/faces")
    assert "keys" in line


def test_train_fit_and_resume_from_s3(
    face_folder: Path, bucket: str, tmp_path: Path, capsys: Capture
) -> None:
    torch.set_num_threads(1)
    url = f"{bucket}/faces"
    assert run(["shard", str(face_folder), url, *OPTIONS, "--workers", "1"]) == 0
    run_path = tmp_path / "run"
    model = ("--epochs", "1", "--batch-size", "12", "--latent-size", "16", "--width", "4")
    options = (*model, "--device", "cpu", "--no-amp", "--loader", "webdataset")
    capsys.readouterr()
    assert run(["train", url, "--run", str(run_path), *options]) == 0
    told = capsys.readouterr().err
    assert "downloading" in told
    assert f"{url} is read from the cache: {tmp_path / 'cache'}" in told
    assert read_run(run_path).config.data == url
    assert run(["fit", str(run_path), url, "--loader", "webdataset", "--device", "cpu"]) == 0
    assert "downloading" not in capsys.readouterr().err
    assert run(["train", url, "--run", str(run_path), "--resume"]) == 0
