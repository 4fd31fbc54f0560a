"""train.py and inference.py under SageMaker's own toolkits, as its containers run them."""

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer

import faceae
import faceae.sagemaker
import faceae_shards
from faceae.cli import run

SCRIPTS = Path(faceae.sagemaker.__file__).parent / "scripts"
HYPERPARAMETERS = {
    "amp": "false",
    "batch-size": "8",
    "device": '"cpu"',
    "epochs": "1",
    "init": '"random"',
    "latent-size": "16",
    "loader": '"webdataset"',
    "width": "8",
}


@pytest.fixture
def base(dataset_npy: faceae_shards.Dataset, tmp_path: Path) -> Path:
    """What SageMaker lays out below /opt/ml."""
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    (config / "inputdataconfig.json").write_text('{"training": {"TrainingInputMode": "File"}}')
    (tmp_path / "input" / "data").mkdir()
    (tmp_path / "input" / "data" / "training").symlink_to(dataset_npy.path)
    for name in ("code", "model", "output"):
        (tmp_path / name).mkdir()
    shutil.copy(SCRIPTS / "train.py", tmp_path / "code")
    return tmp_path


def start_toolkit(base: Path) -> "subprocess.CompletedProcess[str]":
    """Run the toolkit's `train`, which SageMaker's containers have as their command."""
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_PROGRAM": "train.py",
        "SM_STUDIO_LOCAL_MODE": "true",  # no look-up of the host algo-1
    }
    return subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "train"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_training(base: Path) -> None:
    done = start_toolkit(base)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (base / "output" / "success").is_file()
    assert (base / "checkpoints" / "run" / "run.json").is_file()
    assert faceae.load(base / "model", device="cpu").generate(1).shape == (1, 32, 32, 3)


def test_training_that_fails(base: Path) -> None:
    broken = {**HYPERPARAMETERS, "epochs": "0"}
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(broken))
    done = start_toolkit(base)
    assert done.returncode == 1
    assert "faceae: error: `epochs` must be at least 1" in done.stdout + done.stderr
    assert (base / "output" / "failure").is_file()


class Context:
    """What a model server passes to a handler."""

    def __init__(self, model_dir: Path) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.headers: dict[str, str] = {}
        self.status = 200
        self.content_type = ""

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def get_request_property(self, name: str) -> str | None:
        return self.headers.get(name)

    def set_response_status(self, code: int, phrase: str) -> None:
        self.status = code

    def set_response_content_type(self, index: int, value: str) -> None:
        self.content_type = value


@pytest.fixture
def context(fitted_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The context of an unpacked model.tar.gz, whose code/ is on the path."""
    archive, folder = tmp_path / "model.tar.gz", tmp_path / "model"
    assert run(["export", "sagemaker", str(fitted_run), str(archive)]) == 0
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    monkeypatch.syspath_prepend(folder / "code")
    monkeypatch.delitem(sys.modules, "inference", raising=False)
    return Context(folder)


@pytest.fixture
def service(context: Context) -> Iterator[Any]:
    service = DefaultHandlerService(Transformer(DefaultInferenceHandler()))
    service.initialize(context)
    yield service
    service._service._model.close()


def test_inference(service: Any, context: Context) -> None:
    body = io.BytesIO()
    np.save(body, np.zeros((2, 3, 32, 32), np.float32))
    context.headers = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
    (content,) = service.handle([{"body": body.getvalue()}], context)
    assert np.load(io.BytesIO(content)).shape == (10, 3, 32, 32)
    context.headers = {"Content-Type": "application/json", "Accept": "image/png"}
    (content,) = service.handle([{"body": b'{"count": 4}'}], context)
    assert (content[:4], context.content_type) == (b"\x89PNG", "image/png")


def test_inference_that_is_refused(service: Any, context: Context) -> None:
    context.headers = {"Content-Type": "application/json", "Accept": "image/png"}
    (content,) = service.handle([{"body": b"{"}], context)
    assert (context.status, json.loads(content)["status"]) == (400, 400)
