"""A small fitted run, its server, and photographs."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient
from torch import nn

import faceae
import faceae_shards
from faceae.model import load_model, save_model
from faceae.serving import ServeConfig, ServedModel, create_app, open_served_model

CPU = torch.device("cpu")


def _enliven(path: Path) -> None:
    """Change a model's decoder so that its faces differ as after long training."""
    model = load_model(path, CPU)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_var, 0.002, 0.02)
                nn.init.normal_(layer.bias, std=0.2)
    save_model(model, path)


@pytest.fixture(scope="session")
def served_run(dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a fitted run on 32x32 pictures with 16 latent numbers."""
    path = str(tmp_path_factory.mktemp("served") / "run")
    faceae.train(
        str(dataset_npy.path),
        path,
        epochs=1,
        batch_size=8,
        latent_size=16,
        width=8,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
    )
    _enliven(Path(path, "model.safetensors"))
    faceae.fit(path, str(dataset_npy.path), device="cpu")
    return path


@pytest.fixture(scope="session")
def served(served_run: str) -> ServedModel:
    return open_served_model(Path(served_run), CPU)


@pytest.fixture(scope="session")
def api(served_run: str) -> faceae.FaceModel:
    """The same model in the Python API."""
    return faceae.load(served_run, device="cpu")


def wait_until_ready(client: TestClient) -> TestClient:
    """Return a client whose server's model has run."""
    while client.get("/health/ready").status_code == 503:
        pass
    return client


@pytest.fixture(scope="session")
def client(served: ServedModel) -> Iterator[TestClient]:
    """A client of a server with small limits."""
    config = ServeConfig(max_batch=8, max_body_bytes=200_000, max_pixels=1_000_000)
    with TestClient(create_app(served, config)) as client:
        yield wait_until_ready(client)


@pytest.fixture(scope="session")
def photos(face_folder: Path) -> list[Path]:
    """Three photographs of 178x218."""
    return sorted(face_folder.rglob("*.jpg"))[:3]


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Two pictures of the model's size, 2 x 32 x 32 x 3 uint8."""
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


def npy(array: np.ndarray) -> bytes:
    """Return an array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
