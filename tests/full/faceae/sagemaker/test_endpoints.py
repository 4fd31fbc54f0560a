"""faceae sagemaker deploy and delete against moto; invoke by boto3 at a server of ours."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from botocore.stub import Stubber

from faceae.cli import run
from faceae.errors import FaceaeError
from faceae.sagemaker import EndpointConfig, deploy

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(fitted_run: Path, bucket: str, capsys: Capture) -> str:
    """The URL of a model.tar.gz."""
    assert run(["sagemaker", "upload", str(fitted_run), f"{bucket}/a"]) == 0
    return capsys.readouterr().out.strip()


@pytest.fixture(scope="module")
def endpoint(fitted_run: Path) -> Iterator[str]:
    """The address of a container's server."""
    environment = {**os.environ, "SAGEMAKER_BIND_TO_PORT": "0", "FACEAE_HOST": "127.0.0.1"}
    environment |= {"FACEAE_MODEL": str(fitted_run), "FACEAE_DEVICE": "cpu"}
    with subprocess.Popen(
        [sys.executable, "-m", "faceae.sagemaker", "serve"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"port (\d+)", process.stderr.readline())
            assert found, process.stderr.read()
            address = f"http://127.0.0.1:{found[1]}"
            while not answers(address):
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/ping").close()
    except HTTPError as error:
        error.close()
        return False
    return True


def test_deploy_then_delete(model: str, sagemaker: Any, capsys: Capture) -> None:
    assert run(["sagemaker", "deploy", model, "faces", "--set", "max-batch=16"]) == 0
    assert capsys.readouterr().out == "faces\n"
    described = sagemaker.describe_model(ModelName="faces")["PrimaryContainer"]
    assert described["ModelDataUrl"] == model
    assert described["Environment"] == {"FACEAE_MAX_BATCH": "16"}
    assert run(["sagemaker", "deploy", model, "faces"]) == 1
    assert "`faceae sagemaker delete faces`" in capsys.readouterr().err
    assert run(["sagemaker", "delete", "faces"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert sagemaker.list_models()["Models"] == []
    assert run(["sagemaker", "delete", "faces"]) == 1
    assert "endpoint faces: does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["MODEL", "faces", "--set", "max_batch=many"], "max_batch"),
        (["MODEL", "faces", "--set", "api_key=secret"], "api_key"),
        (["MODEL", "two faces"], "NAME"),
        (["BUCKET/a", "faces"], "model.tar.gz"),
        (["BUCKET/b/model.tar.gz", "faces"], "BUCKET/b/model.tar.gz"),
    ],
)
def test_what_is_not_deployed(
    model: str, bucket: str, argv: list[str], message: str, capsys: Capture
) -> None:
    argv = [each.replace("MODEL", model).replace("BUCKET", bucket) for each in argv]
    assert run(["sagemaker", "deploy", *argv]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("BUCKET", bucket) in line


def test_a_quota_leaves_nothing_behind(
    sagemaker: Any, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceae.sagemaker._endpoints.open_client", lambda service: sagemaker)
    role = "arn:aws:iam::123456789012:role/faceae"
    arn = "arn:aws:sagemaker:us-east-1:123456789012"
    missing = "Could not find endpoint"
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_endpoint", "ValidationException", missing)
        stub.add_response("create_model", {"ModelArn": f"{arn}:model/faces"})
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": f"{arn}:endpoint-config"})
        stub.add_client_error("create_endpoint", "ResourceLimitExceeded", "0 Instances")
        stub.add_response("delete_endpoint_config", {}, {"EndpointConfigName": "faces"})
        stub.add_response("delete_model", {}, {"ModelName": "faces"})
        with pytest.raises(FaceaeError, match="quota"):
            deploy(model, "faces", EndpointConfig(image="image", role=role))
        stub.assert_no_pending_responses()


@pytest.fixture
def _at_the_server(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", endpoint)


@pytest.mark.usefixtures("_at_the_server")
def test_invoke(face_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "faces.png"
    assert run(["sagemaker", "invoke", "faces", str(out), "--set", "count=4"]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"
    assert "image/png" in capsys.readouterr().out
    photos = [str(photo) for photo in sorted(face_folder.rglob("*.jpg"))[:2]]
    frames = tmp_path / "frames.npy"
    assert run(["sagemaker", "invoke", "faces", str(frames), *photos, "--set", "frames=5"]) == 0
    assert np.load(frames).shape == (5, 32, 32, 3)
    tensor = tmp_path / "tensor.npy"
    np.save(tensor, np.zeros((2, 3, 32, 32), np.float32))
    assert run(["sagemaker", "invoke", "faces", str(frames), str(tensor)]) == 0
    assert np.load(frames).shape == (10, 3, 32, 32)


@pytest.mark.usefixtures("_at_the_server")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["faces.tiff"], ".tiff"),
        (["faces.png", "nowhere.jpg"], "nowhere.jpg"),
        (["faces.png", "--set", "count=-1"], "endpoint faces: "),
    ],
)
def test_what_cannot_be_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["sagemaker", "invoke", "faces", *argv]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "faces.png").exists()


def test_a_refusal_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """SageMaker hides the container's reply in an error of its own."""
    import boto3

    client = boto3.client("sagemaker-runtime")
    monkeypatch.setattr("faceae.sagemaker._endpoints.open_client", lambda service: client)
    with Stubber(client) as stub:
        stub.add_client_error(
            "invoke_endpoint",
            "ModelError",
            "Received client error (422)",
            modeled_fields={
                "OriginalStatusCode": 422,
                "OriginalMessage": '{"detail": "`count` must be at least 1"}',
            },
        )
        assert run(["sagemaker", "invoke", "faces", str(tmp_path / "a.png")]) == 1
    client.close()
    assert "count` must be at least 1" in capsys.readouterr().err
